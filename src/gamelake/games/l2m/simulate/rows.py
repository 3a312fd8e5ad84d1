"""Rows before they are written: arrays of numbers, an element for each row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

SECOND = 1_000_000
DAY = 86_400 * SECOND


@dataclass
class Rows:
    """Rows of one table: when (microseconds of the business day), whose, and what else the table has."""

    time: Array
    seat: Array
    more: dict[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def take(self, index: Array) -> Rows:
        return Rows(
            self.time[index], self.seat[index], {name: column[index] for name, column in self.more.items()}
        )


@dataclass
class Sessions:
    """One element for each time somebody played."""

    seat: Array
    role: Array
    start: Array
    end: Array  # may lie after midnight
    idle: Array  # no row of it makes the account active: nothing reports about gold and plain items


def moments(sessions: Sessions, index: Array, rng: np.random.Generator) -> Array:
    """A moment of each of these sessions, before midnight."""
    end = np.minimum(sessions.end[index], DAY)
    start = sessions.start[index]
    time = start + (rng.random(len(index)) * (end - start)).astype(np.int64)
    return np.where(rng.random(len(index)) < 0.0005, DAY - 1, time)
