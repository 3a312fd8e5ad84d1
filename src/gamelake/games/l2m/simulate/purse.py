"""Money of an account on a server: gains and spendings, and the balance after each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.kinds import pick
from gamelake.games.l2m.simulate.rows import Rows, moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.rows import Sessions
    from gamelake.games.l2m.simulate.state import World

    Array = NDArray[Any]

_CURRENCY_SHARES = (0.60, 0.32, 0.05, 0.03)
_LARGEST = np.array([200_000, 900, 60, 60])  # of one gain, by currency
_FAR = 1 << 36  # more than any balance; keeps the running minimum of one chain from the next


def moves(world: World, day: int, sessions: Sessions, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """(gains, spendings) of the day. A spending takes what is there at most, so no balance is negative.

    Rows of one account, server and currency stand in the order of time and then of `log_id`, in which their
    balances follow each other.
    """
    seats, users = world.people.seats, world.people.users
    counts = 1 + (rng.random(len(sessions.seat)) * 6 * world.scale).astype(np.int64)
    index = np.repeat(np.arange(len(counts)), counts)
    seat, hoarder = sessions.seat[index], users.hoarder[seats.user[sessions.seat[index]]]
    currency = pick(rng.random(len(index)), _CURRENCY_SHARES)
    currency = np.where(sessions.idle[index], 0, currency)  # gold is in no report
    size = rng.random(len(index))
    amount = 1 + (size * size * _LARGEST[currency]).astype(np.int64)
    spends = rng.random(len(index)) < np.where(hoarder, 0.15, 0.45)
    time = moments(sessions, index, rng)
    time -= np.where(rng.random(len(index)) < 0.05, time % 60_000_000, 0)  # some share their moment
    time = np.maximum(time, sessions.start[index])
    order = np.lexsort((time, currency, seat))
    seat, currency, spends = seat[order], currency[order], spends[order]
    change = np.where(spends, -2 * amount[order], amount[order])
    change, balance = settled(world.balance, seat, currency, change)
    real = np.flatnonzero(change)
    clan = np.where(seats.switch[seat] <= day, seats.next_clan[seat], seats.clan[seat])
    reasons = rng.random(len(index))
    rows = Rows(
        time[order],
        seat,
        {
            "role": sessions.role[index][order],
            "money": currency,
            "amount": np.abs(change),
            "balance": balance,
            "clan": clan,
            "reason": (reasons * np.where(spends, *map(len, _REASONS))).astype(np.int64),
            "sequence": np.arange(len(index)),
            "spends": spends,
        },
    ).take(real)
    spent = rows.more.pop("spends")
    return rows.take(np.flatnonzero(~spent)), rows.take(np.flatnonzero(spent))


_REASONS = (catalog.MONEY_SPEND_REASONS, catalog.MONEY_GAIN_REASONS)


def settled(purse: Array, seat: Array, currency: Array, change: Array) -> tuple[Array, Array]:
    """Cut spendings to what is there: (changes that happen, balance after each); `purse` holds the last.

    Elements of one (seat, currency) stand together and in order. A balance that stops at zero is a sum minus its
    lowest point so far, where that lies below zero.

    >>> purse = np.array([[3, 0]])
    >>> done, after = settled(purse, np.zeros(4, int), np.zeros(4, int), np.array([-5, 4, -1, 2]))
    >>> done.tolist(), after.tolist(), purse.tolist()
    ([-3, 4, -1, 2], [0, 4, 3, 5], [[5, 0]])
    """
    if not len(seat):
        return change, change
    first = np.flatnonzero(
        np.concatenate([[True], (seat[1:] != seat[:-1]) | (currency[1:] != currency[:-1])])
    )
    lengths = np.diff(np.concatenate([first, [len(seat)]]))
    chain = np.repeat(np.arange(len(first)), lengths)
    before = purse[seat[first], currency[first]]
    total = np.cumsum(change)
    wished = total - (total[first] - change[first])[chain] + before[chain]
    lowest = np.minimum.accumulate(np.minimum(wished, 0) - chain * _FAR) + chain * _FAR
    balance = wished - lowest
    previous = np.concatenate([[0], balance[:-1]])
    previous[first] = before
    last = first + lengths - 1
    purse[seat[last], currency[last]] = balance[last]
    return balance - previous, balance
