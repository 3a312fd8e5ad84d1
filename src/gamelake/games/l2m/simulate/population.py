"""Who plays: accounts, their seats (an account on a server) and roles, drawn once and kept in arrays.

About 170 bytes for each account stay in memory for the whole run; nothing grows with days or rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gamelake.games.draws import generator
from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.kinds import NEVER, Kind, arrivals, pick
from gamelake.games.l2m.simulate.places import settle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.scenario import Scenario

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

DRAWN_AT_ONCE = 1 << 16  # accounts; a part of the world's definition, so no setting


@dataclass(frozen=True)
class Users:
    """One element for each account; days are counted from the first day of the run."""

    kind: NDArray[np.uint8]
    arrival: NDArray[np.int32]  # day of the first login, below 0 = before the run
    departure: NDArray[np.int32]  # first day on which it does not play any more
    eagerness: NDArray[np.float32]  # chance to play on a day
    sessions: NDArray[np.uint8]
    buying: NDArray[np.float32]  # chance to buy on a day of play
    country: NDArray[np.uint8]
    platform: NDArray[np.uint8]
    has_profile: Bools
    dateless: Bools  # the profile lacks its first days
    nameless_level: Bools  # no row tells a level
    round_the_clock: Bools
    gatherer: Bools
    hoarder: Bools
    place: NDArray[np.uint8]
    spot: NDArray[np.int32]  # which café, farm, family …
    first_seat: NDArray[np.int64]  # one longer than the others

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def is_bot(self) -> Bools:
        return np.asarray(self.kind >= Kind.FARM_BOT)


@dataclass(frozen=True)
class Seats:
    """One element for each account on a server, in order of account; the first of each is its main one."""

    user: NDArray[np.int32]
    world: NDArray[np.uint8]
    main: Bools
    start: NDArray[np.int32]  # first day on this server; the main seat's is the account's arrival
    clan: NDArray[np.int32]  # -1: none
    next_clan: NDArray[np.int32]
    switch: NDArray[np.int32]  # the day from which it is in `next_clan`
    first_role: NDArray[np.int64]  # one longer than the others

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Roles:
    """One element for each role, in order of seat; the first of a seat is played most."""

    seat: NDArray[np.int32]
    start: NDArray[np.int32]  # its first day
    first_level: NDArray[np.int16]  # on its first day, or on the run's when that is later
    pace: NDArray[np.uint8]  # levels a day at the start; 0 = never any
    renamed: NDArray[np.int32]  # the day from which it has another name
    dateless: Bools  # its profile lacks the first days
    has_profile: Bools

    def __len__(self) -> int:
        return len(self.seat)


@dataclass(frozen=True)
class Population:
    """Everybody. The same seed, scenario and number of accounts give the same people, however long the run."""

    users: Users
    seats: Seats
    roles: Roles
    cafes: int
    carriers: int


def people(seed: int, count: int, scenario: Scenario) -> Population:
    """Draw everybody, a block of accounts at a time, each block from its own numbers."""
    starts = range(0, count, DRAWN_AT_ONCE)
    drawn = [
        _draw(seed, block, min(DRAWN_AT_ONCE, count - start), scenario) for block, start in enumerate(starts)
    ]
    columns = {name: np.concatenate([block[name] for block in drawn]) for name in drawn[0]}
    draws = {name: columns.pop(name) for name in ("place", "seats", "roles")}
    cafes, carriers = settle(columns, draws["place"], scenario, seed)
    first_seat = np.concatenate([[0], np.cumsum(draws["seats"], dtype=np.int64)])
    users = Users(first_seat=first_seat, **columns)
    seats = _seats(users, draws["roles"], scenario, seed)
    return Population(users, seats, _roles(users, seats, scenario, seed), cafes, carriers)


def _draw(seed: int, block: int, size: int, scenario: Scenario) -> dict[str, NDArray[np.generic]]:
    rng = generator(seed, "people", scenario.name, block)
    kind = _kinds(rng.random(size), rng.random(size), scenario)
    if block == 0:
        kind[0] = Kind.CORE
    arrival = arrivals(rng.random(size))
    departure = arrival + _stay(kind, rng.random(size), rng.random(size), arrival)
    if block == 0:
        arrival[0], departure[0] = -200, NEVER  # somebody plays every day, whatever the size
    bot = kind >= Kind.FARM_BOT
    low, high = scenario.bot_sessions
    sessions = np.where(
        bot, low + (rng.random(size) * (high - low + 1)).astype(int), 1 + (rng.random(size) * 3).astype(int)
    )
    sessions += np.isin(kind, (Kind.CORE, Kind.WHALE)) & (rng.random(size) < 0.5)
    pays = rng.random(size)
    buying = np.select(
        [kind == Kind.PAYER, kind == Kind.WHALE, bot & (pays < scenario.paying_bots), kind == Kind.TESTER],
        [0.06 + 0.2 * pays, 0.5 + 0.4 * pays, np.full(size, 0.08), np.full(size, 0.3)],
        0.0,
    )
    share = rng.random(size)
    return {
        "kind": kind,
        "arrival": arrival.astype(np.int32),
        "departure": departure.astype(np.int32),
        "eagerness": _eagerness(kind, rng.random(size), scenario).astype(np.float32),
        "sessions": sessions.astype(np.uint8),
        "buying": buying.astype(np.float32),
        "country": pick(rng.random(size), catalog.COUNTRY_SHARES).astype(np.uint8),
        "platform": pick(rng.random(size), catalog.PLATFORM_SHARES).astype(np.uint8),
        "has_profile": rng.random(size) >= 0.02,
        "dateless": rng.random(size) < 0.01,
        "nameless_level": (rng.random(size) < 0.005) & ~bot,
        "round_the_clock": _either(bot, scenario.bots_round_the_clock, scenario.people_round_the_clock, rng),
        "gatherer": _either(bot, scenario.bot_gatherers, scenario.people_gatherers, rng),
        "hoarder": _either(bot, scenario.bot_hoarders, scenario.people_hoarders, rng),
        "seats": np.where(bot, 1, 1 + (share < 0.22) + (share < 0.05)).astype(np.int64),
        "roles": 1 + (rng.random(size) < 0.15).astype(np.int64),  # on the main seat
        "place": rng.random(size),
    }


def _either(bot: Bools, of_bots: float, of_people: float, rng: np.random.Generator) -> Bools:
    return np.asarray(rng.random(len(bot)) < np.where(bot, of_bots, of_people))


def _kinds(u: Floats, v: Floats, scenario: Scenario) -> NDArray[np.uint8]:
    person = 1.0 - scenario.bots - scenario.dabblers - scenario.stubborn - 0.012
    shares = (
        *(person * share for share in (0.60, 0.25, 0.135, 0.015)),
        *(scenario.dabblers, scenario.stubborn, 0.012, scenario.bots),
    )
    kind = pick(u, shares)
    kind[(kind == Kind.FARM_BOT) & (v < scenario.lone_bots)] = Kind.LONE_BOT
    return kind.astype(np.uint8)


def _stay(kind: NDArray[np.uint8], u: Floats, v: Floats, arrival: Ints) -> Ints:
    """Days from arrival to departure: most leave early, some stay for long."""
    long = np.where(u < 0.25, 1 + (u * 12).astype(np.int64), 5 + (v * v * v * 400).astype(np.int64))
    stay = np.where(
        np.isin(kind, (Kind.CORE, Kind.WHALE, Kind.TESTER)), 60 + (v * 600).astype(np.int64), long
    )
    stay = np.where(kind >= Kind.FARM_BOT, 40 + (v * 100).astype(np.int64), stay)
    stay = np.where(kind == Kind.STUBBORN, 20 + (v * 60).astype(np.int64), stay)
    old = np.where(arrival < 0, -arrival, 0)  # who is here on the first day has stayed till now
    return np.where(kind == Kind.DABBLER, 1 + (u < 0.5), stay + old)


def _eagerness(kind: NDArray[np.uint8], u: Floats, scenario: Scenario) -> Floats:
    low = np.array([0.15, 0.55, 0.35, 0.70, 0.90, 0.30, 0.60, 0.0, 0.0])
    high = np.array([0.55, 0.95, 0.90, 0.98, 1.00, 0.95, 0.95, 0.0, 0.0])
    low[Kind.FARM_BOT :], high[Kind.FARM_BOT :] = scenario.bot_activity
    if scenario.bot_activity[0] >= 0.85:
        low[Kind.LONE_BOT] = 0.95  # three days of play come soon
        high[Kind.LONE_BOT] = 1.0
    return np.asarray(low[kind] + (high[kind] - low[kind]) * u)


def _seats(users: Users, roles: Ints, scenario: Scenario, seed: int) -> Seats:
    count = int(users.first_seat[-1])
    user = np.repeat(np.arange(len(users), dtype=np.int32), np.diff(users.first_seat))
    main_seat = users.first_seat[:-1][user]
    order = np.arange(count) - main_seat
    rng = generator(seed, "seats")
    home = (rng.random(count) * len(catalog.PRODUCTION)).astype(np.int64)[main_seat]
    world = (home + order * 3) % len(catalog.PRODUCTION)  # servers of one account differ
    tests = len(catalog.TEST_WORLDS)
    tester = users.kind[user] == Kind.TESTER
    visits = (order == 2) & (rng.random(count) < 0.6)
    world = np.where(tester | visits, len(catalog.PRODUCTION) + (home + order) % tests, world)
    start = users.arrival[user] + np.where(order > 0, (rng.random(count) * 25).astype(np.int64), 0)
    clans = max(3, len(users) // 40)
    bot = users.is_bot[user]
    member = rng.random(count) < np.where(bot, scenario.clan_bots, scenario.people_in_clans)
    switch = np.where(rng.random(count) < 0.3, (rng.random(count) * 40).astype(np.int64), NEVER)
    later = rng.random(count)
    return Seats(
        user=user,
        world=world.astype(np.uint8),
        main=order == 0,
        start=start.astype(np.int32),
        clan=np.where(member, (rng.random(count) * clans).astype(np.int64), -1).astype(np.int32),
        next_clan=np.where(later < 0.7, (later * clans).astype(np.int64), -1).astype(np.int32),
        switch=np.where(bot, NEVER, switch).astype(np.int32),
        first_role=np.concatenate([[0], np.cumsum(np.where(order == 0, roles[user], 1))]),
    )


def _roles(users: Users, seats: Seats, scenario: Scenario, seed: int) -> Roles:
    seat = np.repeat(np.arange(len(seats), dtype=np.int32), np.diff(seats.first_role))
    count = len(seat)
    user, alt = seats.user[seat], np.arange(count) > seats.first_role[:-1][seat]
    kind, rng = users.kind[user], generator(seed, "roles")
    start = seats.start[seat] + np.where(alt, 1 + (rng.random(count) * 20).astype(np.int64), 0)
    played = (start < 0) & ~alt
    level = np.where(played, 12 + (rng.random(count) * 70).astype(np.int64), 1)
    pace = 3 + (rng.random(count) * 4).astype(np.int64)
    at_1 = np.where(kind == Kind.FARM_BOT, scenario.bots_at_level_1, scenario.lone_bots_at_level_1)
    stuck = (kind >= Kind.FARM_BOT) & (rng.random(count) < at_1)
    stuck |= np.isin(kind, (Kind.DABBLER, Kind.STUBBORN))
    return Roles(
        seat=seat,
        start=start.astype(np.int32),
        first_level=np.where(stuck, 1, level).astype(np.int16),
        pace=np.where(stuck, 0, pace).astype(np.uint8),
        renamed=np.where(rng.random(count) < 0.03, (rng.random(count) * 30).astype(np.int64), NEVER).astype(
            np.int32
        ),
        dateless=rng.random(count) < 0.02,
        has_profile=rng.random(count) >= 0.015,
    )
