"""What the accounts of one block do on one business day, as arrays with an element for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gamelake.games.draws import generator
from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.kinds import Kind, pick
from gamelake.games.l2m.simulate.places import NO_ADDRESS, addresses
from gamelake.games.l2m.simulate.purse import moves
from gamelake.games.l2m.simulate.rows import DAY, SECOND, Rows, Sessions, moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.state import World

    Array = NDArray[Any]

FAST_UNTIL = 20  # newcomers rise fast up to this level
UNKNOWN_LEVEL = -1


@dataclass
class BlockDay:
    """All a block of accounts did on a day; `tables` by name of the source table."""

    seats: tuple[int, int]  # its first seat, and the one after its last
    tables: dict[str, Rows]


def play(world: World, day: int, block: int) -> BlockDay:
    """The day of one block. Changes balances, levels and open sessions of its accounts in `world`."""
    first, last = world.block_users(block)
    users = world.people.users
    low, high = int(users.first_seat[first]), int(users.first_seat[last])
    rng = generator(world.seed, "day", world.scenario.name, world.scale, day, block)
    active = _who_plays(world, day, low, high, rng)
    gains = _level_gains(world, day, low, high, active, rng)
    sessions = _sessions(world, day, active, rng)
    tables = {
        "etl_login": _logins(world, day, first, last, sessions, rng),
        "etl_logout": _logouts(world, low, high, sessions, rng),
    }
    tables["etl_increase_item"], tables["etl_decrease_item"] = _items(world, sessions, rng)
    tables["etl_increase_money"], tables["etl_decrease_money"] = moves(world, day, sessions, rng)
    tables["etl_recharge"] = _orders(world, day, low, high, active, rng)
    first_role = int(world.people.seats.first_role[low])
    for name, rows in tables.items():
        if name != "etl_recharge":
            rows.more["level"] = _levels(world, rows, first_role, gains, rng)
    world.level[first_role : first_role + len(gains)] += gains.astype(np.int16)
    return BlockDay((low, high), tables)


def _who_plays(world: World, day: int, low: int, high: int, rng: np.random.Generator) -> Array:
    """Seats that play; an account's first day on a server is always one."""
    seats, users = world.people.seats, world.people.users
    user = seats.user[low:high]
    start, left = seats.start[low:high], users.departure[user]
    chance = users.eagerness[user] * np.where(seats.main[low:high], 1.0, 0.3)
    plays = (rng.random(high - low) < chance) | (start == day)
    if low == 0:
        plays[0] = True
    return np.asarray(low + np.flatnonzero(plays & (start <= day) & (day < left)))


def _level_gains(
    world: World, day: int, low: int, high: int, active: Array, rng: np.random.Generator
) -> Array:
    """Levels each role of the block gains this day, by role from the block's first."""
    seats, roles = world.people.seats, world.people.roles
    first, last = int(seats.first_role[low]), int(seats.first_role[high])
    chance = rng.random(last - first)
    pace = roles.pace[first:last].astype(np.int64)
    slow = (chance < 0.25) & (pace > 0)
    gains = np.where(world.level[first:last] < FAST_UNTIL, pace, slow)
    plays = np.zeros(high - low, dtype=bool)
    plays[active - low] = True
    return np.asarray(gains * (plays[roles.seat[first:last] - low] & (roles.start[first:last] <= day)))


def _sessions(world: World, day: int, active: Array, rng: np.random.Generator) -> Sessions:
    people = world.people
    times = people.users.sessions[people.seats.user[active]]
    seat = np.repeat(active, times)
    count = len(seat)
    user = people.seats.user[seat]
    awake = people.users.round_the_clock[user]
    evening = 20 * 3600 + (rng.random((3, count)).sum(axis=0) - 1.5) * 8 * 3600
    start = (np.where(awake, rng.random(count) * 86_400, evening % 86_400) * SECOND).astype(np.int64)
    start[rng.random(count) < 0.001] = 0  # the first moment of the day
    minutes = np.where(awake, 30 + rng.random(count) * 200, 4 + rng.random(count) * 80)
    first, roles = people.seats.first_role, people.roles
    alt = (first[seat + 1] - first[seat] > 1) & (rng.random(count) < 0.3)
    alt &= roles.start[np.minimum(first[seat] + 1, len(roles) - 1)] <= day
    idle = np.repeat((rng.random(len(active)) < 0.006) & (active != 0), times)
    return Sessions(
        seat=seat,
        role=first[seat] + alt,
        start=np.minimum(start, DAY - 1),
        end=start + (minutes * 60 * SECOND).astype(np.int64),
        idle=idle,
    )


def _logins(
    world: World, day: int, first: int, last: int, sessions: Sessions, rng: np.random.Generator
) -> Rows:
    kept = np.flatnonzero((rng.random(len(sessions.seat)) < 0.98) & ~sessions.idle)
    seat = sessions.seat[kept]
    user = world.people.seats.user[seat]
    address = addresses(world.people, user, day, rng.random(last - first)[user - first])
    address[rng.random(len(kept)) < 0.015] = NO_ADDRESS
    return Rows(sessions.start[kept], seat, {"role": sessions.role[kept], "address": address})


def _logouts(world: World, low: int, high: int, sessions: Sessions, rng: np.random.Generator) -> Rows:
    """Ends of today's sessions, and of those open since yesterday; who plays on keeps one session open."""
    open_seats = low + np.flatnonzero(world.open_until[low:high] >= 0)
    open_end, open_role = world.open_until[open_seats], world.open_role[open_seats]
    world.open_until[low:high] = -1
    told = (rng.random(len(sessions.seat)) < 0.95) & ~sessions.idle
    beyond = np.flatnonzero(told & (sessions.end >= DAY))
    world.open_until[sessions.seat[beyond]] = sessions.end[beyond] - DAY
    world.open_role[sessions.seat[beyond]] = sessions.role[beyond]
    today = np.flatnonzero(told & (sessions.end < DAY))
    return Rows(
        np.concatenate([open_end, sessions.end[today]]),
        np.concatenate([open_seats, sessions.seat[today]]),
        {"role": np.concatenate([open_role, sessions.role[today]])},
    )


def _items(world: World, sessions: Sessions, rng: np.random.Generator) -> tuple[Rows, Rows]:
    users, seats = world.people.users, world.people.seats
    user = seats.user[sessions.seat]
    count = len(user)
    gains = 1 + (rng.random(count) * 7 * world.scale).astype(np.int64)
    spends = (rng.random(count) * 5 * world.scale * np.where(users.hoarder[user], 0.25, 1.0)).astype(np.int64)
    gained = _spread(sessions, gains, users.gatherer[user], catalog.GAIN_REASONS, rng)
    return gained, _spread(sessions, spends, users.gatherer[user], catalog.SPEND_REASONS, rng)


def _spread(
    sessions: Sessions, counts: Array, gatherer: Array, reasons: tuple[str, ...], rng: np.random.Generator
) -> Rows:
    """So many item rows in each session, at any time of it."""
    index = np.repeat(np.arange(len(counts)), counts)
    count = len(index)
    u = rng.random(count)
    item = (u * u * len(catalog.ITEMS)).astype(np.int64)
    item = np.where(gatherer[index] & (u < 0.8), 7 + (u * 5).astype(np.int64), item)
    plain = len(catalog.KEY_ITEMS) + item % len(catalog.OTHER_ITEMS)
    amount = rng.random(count)
    return Rows(
        moments(sessions, index, rng),
        sessions.seat[index],
        {
            "role": sessions.role[index],
            "item": np.where(sessions.idle[index], plain, item),
            "amount": 1 + (amount * amount * amount * 500).astype(np.int64),
            "reason": (rng.random(count) * len(reasons)).astype(np.int64),
        },
    )


def _levels(world: World, rows: Rows, first_role: int, gains: Array, rng: np.random.Generator) -> Array:
    """A role's level at the moment of a row: it rises evenly over the day."""
    people, role = world.people, rows.more["role"]
    level = world.level[role] + gains[role - first_role] * rows.time // DAY
    unknown = people.users.nameless_level[people.seats.user[rows.seat]] | (rng.random(len(rows)) < 0.01)
    return np.where(unknown, UNKNOWN_LEVEL, level)


def _orders(world: World, day: int, low: int, high: int, active: Array, rng: np.random.Generator) -> Rows:
    """Recharges of those who play, and of a few payers who only visit the web shop."""
    users, seats = world.people.users, world.people.seats
    user = seats.user[low:high]
    plays = np.zeros(high - low, dtype=bool)
    plays[active - low] = True
    here = (seats.start[low:high] <= day) & (day < users.departure[user])
    chance = users.buying[user] * np.where(plays, 1.0, 0.03) * np.where(seats.main[low:high], 1.0, 0.4)
    buys = low + np.flatnonzero(here & (rng.random(high - low) < chance))
    whale = users.kind[seats.user[buys]] == Kind.WHALE
    seat = np.repeat(buys, 1 + (rng.random(len(buys)) * np.where(whale, 4, 1.4)).astype(np.int64))
    count, kind = len(seat), users.kind[seats.user[seat]]
    home = np.array([catalog.CURRENCIES.index(name) for name in catalog.COUNTRY_CURRENCY])
    currency = home[users.country[seats.user[seat]]]
    other = rng.random(count)  # some pay in dollars, and some fractions of a penny
    currency = np.where(other < 0.12, catalog.CURRENCIES.index("USD"), currency)
    currency = np.where(other > 0.96, catalog.CURRENCIES.index(catalog.PENNY_CURRENCY), currency)
    step = rng.random(count)
    price = np.where(kind == Kind.WHALE, 2 + (step * 5).astype(np.int64), (step * step * 6).astype(np.int64))
    state = pick(rng.random(count), catalog.ORDER_SHARES)
    production = catalog.IS_PRODUCTION[seats.world[seat]]
    gap = (currency == catalog.CURRENCIES.index(catalog.GAP_CURRENCY)) & world.is_gap(day) & production
    return Rows(
        (rng.random(count) * DAY).astype(np.int64),
        seat,
        {
            "currency": currency,
            "amount": catalog.PRICE_TABLE[currency, price],
            "way": pick(rng.random(count), catalog.PAYMENT_SHARES),
            "state": np.where(gap & (state == 0), 1, state),
        },
    )
