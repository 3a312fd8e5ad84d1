"""Kinds of account, where they play from, and when they come."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 1 << 30
PLAYED_BEFORE = 0.42  # share of accounts older than the first day
ARRIVAL_DAYS = 45.0  # days in which half of the others come; fewer and fewer come later, at any length of run


class Kind(IntEnum):
    """What an account is."""

    CASUAL = 0
    CORE = 1
    PAYER = 2
    WHALE = 3
    DABBLER = 4
    STUBBORN = 5
    TESTER = 6
    FARM_BOT = 7
    LONE_BOT = 8


class Place(IntEnum):
    """Where an account plays from."""

    HOME = 0
    FAMILY = 1
    CARRIER = 2
    CAFE = 3
    OPEN_CAFE = 4
    DORM = 5
    OFFICE = 6
    FARM = 7
    HOME_V6 = 8


def arrivals(u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Day of the first login: a share before the run, then ever fewer, without an end."""
    before = -1 - (u / PLAYED_BEFORE * 300.0).astype(np.int64)
    left = np.maximum(1.0 - u, 1e-7)
    since = ARRIVAL_DAYS * ((1.0 - PLAYED_BEFORE) / left - 1.0)
    return np.where(u < PLAYED_BEFORE, before, since.astype(np.int64))


def pick(u: NDArray[np.float64], shares: tuple[float, ...]) -> NDArray[np.intp]:
    """Which share each number of [0, 1) falls into."""
    edges = np.cumsum(np.array(shares))
    return np.minimum(np.searchsorted(edges, u, side="right"), len(shares) - 1)
