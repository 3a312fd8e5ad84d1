"""What changes from day to day: levels, balances, open sessions, first charges, rows held back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from gamelake.games.draws import generator
from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.kinds import NEVER, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.population import Population
    from gamelake.games.l2m.simulate.scenario import Scenario

BLOCK_ROWS = 1 << 19  # about; what one block of accounts makes at most on a day
ROWS_OF_AN_ACCOUNT = 16  # on a day, all tables together, at scale 1


@dataclass
class World:
    """The game between two days. Days are numbers, 0 is the run's first."""

    seed: int
    scenario: Scenario
    scale: float
    start: date
    days: int
    people: Population
    level: NDArray[np.int16] = field(init=False)  # by role
    balance: NDArray[np.int64] = field(init=False)  # by seat and currency
    open_until: NDArray[np.int64] = field(init=False)  # by seat: end of a session open at midnight, -1 = none
    open_role: NDArray[np.int64] = field(init=False)
    held_until: NDArray[np.int32] = field(
        init=False
    )  # by seat: money rows arrive on this day at the earliest
    paid_on_seat: NDArray[np.int32] = field(init=False)  # day of the first charge, NEVER = none yet
    paid: NDArray[np.int32] = field(init=False)  # by account, over production worlds

    def __post_init__(self) -> None:
        users, seats = self.people.users, self.people.seats
        rng = generator(self.seed, "before", self.scenario.name)
        self.level = self.people.roles.first_level.copy()
        owned = rng.random((len(seats), len(catalog.MONEY))) * np.array([90_000, 400, 30, 30])
        self.balance = np.where((seats.start < 0)[:, None], owned, 0).astype(np.int64)
        self.open_until = np.full(len(seats), -1, dtype=np.int64)
        self.open_role = np.zeros(len(seats), dtype=np.int64)
        self.held_until = np.zeros(len(seats), dtype=np.int32)
        old = np.isin(users.kind, (Kind.PAYER, Kind.WHALE))[seats.user] & (seats.start < 0) & seats.main
        old &= rng.random(len(seats)) < 0.8
        since = seats.start + (rng.random(len(seats)) * -np.minimum(seats.start, 0)).astype(np.int32)
        self.paid_on_seat = np.where(old, np.minimum(since, -1), NEVER).astype(np.int32)
        self.paid = self.paid_on_seat[users.first_seat[:-1]].copy()
        test = ~catalog.IS_PRODUCTION[seats.world[users.first_seat[:-1]]]
        self.paid[test] = NEVER

    @property
    def block_size(self) -> int:
        """Accounts of one block: fewer where each has more rows. Follows from the scale only."""
        return max(256, int(BLOCK_ROWS / ROWS_OF_AN_ACCOUNT / max(self.scale, 0.5)))

    @property
    def blocks(self) -> int:
        return -(-len(self.people.users) // self.block_size)

    def block_users(self, block: int) -> tuple[int, int]:
        """First account of a block, and the one after its last."""
        return block * self.block_size, min((block + 1) * self.block_size, len(self.people.users))

    def date(self, day: int) -> date:
        return self.start + timedelta(days=day)

    def month(self, day: int) -> str:
        return f"{self.date(day):%Y-%m}"

    def is_gap(self, day: int) -> bool:
        """Whether the gap currency has no rate on that day: in the run's first month."""
        return self.month(day) == self.month(0)

    def charge(self, day: int, seats: NDArray[Any]) -> None:
        """Remember first charges: these seats completed a recharge on that day, whenever its row arrives."""
        fresh = seats[self.paid_on_seat[seats] == NEVER]
        self.paid_on_seat[fresh] = day
        production = seats[catalog.IS_PRODUCTION[self.people.seats.world[seats]]]
        users = self.people.seats.user[production]
        self.paid[users[self.paid[users] == NEVER]] = day


def rate_of(seed: int, currency: str, month: str) -> int:
    """VND for one unit of a currency in a month, in units of 1/1000000.

    >>> rate_of(1, "VND", "2025-01"), rate_of(1, "USD", "2025-01")
    (1000000, 25600000000)
    """
    if currency in {"VND", catalog.PENNY_CURRENCY}:
        return catalog.RATES[currency]
    year, number = map(int, month.split("-"))
    if currency == "USD":  # round rates, by which some sums are halves of the fourth digit
        return (25_400, 25_000, 25_600, 25_250)[(seed + year * 12 + number) % 4] * 1_000_000
    drift = generator(seed, "rate", currency, month).random() * 0.04 - 0.02
    return catalog.RATES[currency] + int(catalog.RATES[currency] * drift)
