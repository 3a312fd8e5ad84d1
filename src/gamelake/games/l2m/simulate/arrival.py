"""How rows reach the source: late, twice, out of their window, without a world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gamelake.games.draws import generator
from gamelake.games.l2m.simulate.kinds import pick
from gamelake.games.l2m.simulate.rows import DAY, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.block import BlockDay
    from gamelake.games.l2m.simulate.scenario import Scenario
    from gamelake.games.l2m.simulate.state import World

    Array = NDArray[Any]

LATE_DAYS = 2  # of the default extraction
MONEY = ("etl_increase_money", "etl_decrease_money")
ORDERS = "etl_recharge"
_GHOSTS_FROM = {
    "etl_increase_money": 90_000_000,
    "etl_decrease_money": 95_000_000,
}  # both share their numbers


@dataclass
class Delivery:
    """The rows of one table and block as they arrive."""

    rows: Rows  # in the order of `ds`-less rows, copies and ghosts
    ds: Array  # day of arrival, by row
    counted: Array  # indices into the block's own rows: inside their window, and here by the run's last day


def deliver(world: World, day: int, block: int, made: BlockDay) -> dict[str, Delivery]:
    """When each row of a block's day arrives. Rows after the run's last day are not here yet and left out."""
    rng = generator(world.seed, "arrival", world.scenario.name, world.scale, day, block)
    tails = _tails(world, *made.seats, rng)
    found = {}
    for name, rows in made.tables.items():
        if name in MONEY:
            ds = _in_order(world, day, made.seats[0], rows, tails)
        else:
            rows.more["sequence"] = np.arange(len(rows))
            ds = _at_random(world.scenario, name, day, len(rows), rng)
        counted = np.flatnonzero((ds <= day + LATE_DAYS) & (ds < world.days))
        found[name] = _with_copies_and_ghosts(world, day, made.seats, name, rows, ds, counted, rng)
    low, high = made.seats
    world.held_until[low:high] = np.maximum(world.held_until[low:high], day + tails[1])
    return found


def _at_random(scenario: Scenario, name: str, day: int, count: int, rng: np.random.Generator) -> Array:
    one, two, beyond = scenario.late_orders if name == ORDERS else scenario.late
    lag = pick(rng.random(count), (1.0 - one - two - beyond, one, two, beyond))
    return day + lag + np.where(lag > LATE_DAYS, (rng.random(count) * 4).astype(np.int64), 0)


def _tails(world: World, low: int, high: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """(moment, lag) by seat: from that moment of the day its money rows arrive so many days later."""
    one, two, _ = world.scenario.late
    lag = pick(rng.random(high - low), (1.0 - 2 * (one + two), 2 * one, 2 * two))
    return (rng.random(high - low) * DAY).astype(np.int64), lag


def _in_order(world: World, day: int, low: int, rows: Rows, tails: tuple[Array, Array]) -> Array:
    """Money rows of one seat never overtake each other, so balances explain themselves on any day of arrival."""
    moment, lag = tails
    late = np.where(rows.time >= moment[rows.seat - low], lag[rows.seat - low], 0)
    return np.asarray(np.maximum(day + late, world.held_until[rows.seat]))


def _with_copies_and_ghosts(
    world: World,
    day: int,
    seats: tuple[int, int],
    name: str,
    rows: Rows,
    ds: Array,
    counted: Array,
    rng: np.random.Generator,
) -> Delivery:
    same, later = world.scenario.copies
    count = len(rows)
    u = rng.random(count)
    twin = np.flatnonzero(u < same)
    again = np.flatnonzero((u >= same) & (u < same + later))
    echo = np.flatnonzero(rng.random(count) < same / 8)  # and some a third time
    ghosts, ghost_ds = _ghosts(world, day, seats, name, rows, rng)
    index = np.concatenate([np.arange(count), twin, again, echo])
    arrived = np.concatenate(
        [ds, ds[twin], ds[again] + 1 + (rng.random(len(again)) * 5).astype(np.int64), ds[echo]]
    )
    rows.more["worldless"] = np.zeros(count, dtype=bool)
    whole = _joined(rows.take(index), ghosts)
    arrived = np.concatenate([arrived, ghost_ds])
    here = np.flatnonzero(arrived < world.days)
    return Delivery(whole.take(here), arrived[here], counted)


def _ghosts(
    world: World, day: int, seats: tuple[int, int], name: str, rows: Rows, rng: np.random.Generator
) -> tuple[Rows, Array]:
    """Rows that count nowhere, of anybody: far too late, from a clock a day ahead, or without a world."""
    chosen = np.flatnonzero(rng.random(len(rows)) < world.scenario.ghosts)
    ghosts = rows.take(chosen)
    count = len(ghosts)
    sort = (rng.random(count) * 3).astype(np.int64)
    ghosts.seat = seats[0] + (rng.random(count) * (seats[1] - seats[0])).astype(np.int64)
    if "role" in ghosts.more:
        ghosts.more["role"] = world.people.seats.first_role[ghosts.seat]
    ghosts.time = ghosts.time + np.where(sort == 1, DAY, 0)
    ghosts.more["sequence"] = _GHOSTS_FROM.get(name, len(rows)) + np.arange(count)
    ghosts.more["worldless"] = sort == 2
    beyond = day + LATE_DAYS + 1 + (rng.random(count) * 4).astype(np.int64)
    return ghosts, np.where(sort == 0, beyond, day)


def _joined(rows: Rows, others: Rows) -> Rows:
    return Rows(
        np.concatenate([rows.time, others.time]),
        np.concatenate([rows.seat, others.seat]),
        {name: np.concatenate([column, others.more[name]]) for name, column in rows.more.items()},
    )
