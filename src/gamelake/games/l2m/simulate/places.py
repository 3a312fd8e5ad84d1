"""Where accounts play from, as the addresses that logins show."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import numpy as np

from gamelake.games.draws import generator
from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.kinds import NEVER, Kind, Place, arrivals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.population import Population
    from gamelake.games.l2m.simulate.scenario import Scenario

NO_ADDRESS = 0
VERSION_6 = 1 << 40  # added to the number of an account that has an IPv6 address


def _number(address: str) -> int:
    return int(IPv4Address(address))


# First address of each kind of place; kinds never meet, as accounts are at most 2^23.
_HOMES, _FAMILIES, _CARRIERS = _number("10.0.0.0"), _number("10.128.0.0"), _number("100.64.0.1")
_DORMS, _OFFICES, _OPEN_CAFES = _number("172.20.0.1"), _number("172.24.0.1"), _number("172.28.0.1")
_MORE_CAFES, _MORE_FARMS = _number("198.18.1.0"), _number("172.16.0.1")


def settle(
    columns: dict[str, NDArray[Any]], draw: NDArray[np.float64], scenario: Scenario, seed: int
) -> tuple[int, int]:
    """Give everybody a place, and farm bots a farm with which they come and go; (cafés, carrier addresses)."""
    kind = columns["kind"]
    if (kind == Kind.FARM_BOT).sum() < scenario.farm_size[0]:
        few = kind == Kind.FARM_BOT  # for one farm, so each stays alone, and is there from the start
        kind[few], columns["arrival"][few], columns["departure"][few] = Kind.LONE_BOT, -20, NEVER
    shares = (0.12, scenario.on_carriers, scenario.cafe_guests, scenario.open_cafe_guests, 0.012, 0.009, 0.02)
    places = (
        Place.FAMILY,
        Place.CARRIER,
        Place.CAFE,
        Place.OPEN_CAFE,
        Place.DORM,
        Place.OFFICE,
        Place.HOME_V6,
    )
    chosen = np.searchsorted(np.cumsum(shares), draw, side="right")
    place = np.array([*places, Place.HOME], dtype=np.uint8)[chosen]
    place[(kind == Kind.LONE_BOT) & (place != Place.HOME_V6)] = Place.HOME
    place[kind == Kind.TESTER] = Place.OFFICE
    place[kind == Kind.FARM_BOT] = Place.FARM
    place[0] = Place.HOME
    spot = np.zeros(len(kind), dtype=np.int64)
    for each, size in {Place.FAMILY: 3, Place.OPEN_CAFE: 110, Place.DORM: 9}.items():
        at = np.flatnonzero(place == each)
        spot[at] = np.arange(len(at)) // size
    for testers, size in ((False, 7), (True, 9)):  # ten and more at an office, but seven on production
        at = np.flatnonzero((place == Place.OFFICE) & ((kind == Kind.TESTER) == testers))
        spot[at] = np.arange(len(at)) // size
    guests = np.flatnonzero(place == Place.CAFE)
    cafes = max(1, len(guests) // 120)
    spot[guests] = np.arange(len(guests)) % cafes
    carriers = max(1, int((place == Place.CARRIER).sum()) // 160)
    _farms(columns, spot, scenario, seed)
    columns["place"], columns["spot"] = place, spot.astype(np.int32)
    return cafes, carriers


def _farms(columns: dict[str, NDArray[Any]], spot: NDArray[np.int64], scenario: Scenario, seed: int) -> None:
    """Cut the farm bots, in order, into farms of the scenario's sizes; a rest joins the last."""
    bots = np.flatnonzero(columns["kind"] == Kind.FARM_BOT)
    if not len(bots):
        return
    low, high = scenario.farm_size
    rng = generator(seed, "farms")
    ends = np.cumsum(low + (rng.random(len(bots) // low + 1) * (high - low + 1)).astype(np.int64))
    farm = np.searchsorted(ends, np.arange(len(bots)), side="right")
    last = int(farm[-1])
    if last > 0 and int((farm == last).sum()) < low:
        farm[farm == last] = last = last - 1
    spot[bots] = farm
    arrival = arrivals(rng.random(last + 1))
    arrival[0] = -20  # one farm is there from the start
    stay = 50 + (rng.random(last + 1) * 100).astype(np.int64) + np.maximum(-arrival, 0)
    columns["arrival"][bots] = arrival[farm]
    columns["departure"][bots] = (arrival + stay)[farm]


def addresses(
    everybody: Population, user: NDArray[Any], day: int, chance: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The address an account shows on a day, as a number; `chance` is its own draw of that day."""
    users, user = everybody.users, user.astype(np.int64)
    place, spot = users.place[user], users.spot[user].astype(np.int64)
    carrier = (user * 31 + day * 17) % everybody.carriers
    out = np.isin(place, (Place.CAFE, Place.OPEN_CAFE)) & (chance >= np.where(place == Place.CAFE, 0.4, 0.5))
    cases = {
        Place.FAMILY: _FAMILIES + spot,
        Place.CARRIER: _CARRIERS + carrier,
        Place.CAFE: _listed(catalog.CAFES, _MORE_CAFES, spot),
        Place.OPEN_CAFE: _OPEN_CAFES + spot,
        Place.DORM: _DORMS + spot,
        Place.OFFICE: _OFFICES + spot,
        Place.FARM: _listed(catalog.FARMS, _MORE_FARMS, spot),
        Place.HOME_V6: VERSION_6 + user,
    }
    found = np.select([place == each for each in cases], list(cases.values()), _HOMES + user)
    return np.where(out, _HOMES + user, found).astype(np.int64)


def _listed(first: tuple[str, ...], more: int, spot: NDArray[np.int64]) -> NDArray[np.int64]:
    known = np.array([_number(address) for address in first])
    return np.where(spot < len(known), known[np.minimum(spot, len(known) - 1)], more + spot)
