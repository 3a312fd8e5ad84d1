"""Time and identifiers, injected so that tests and simulators decide them."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Clock(Protocol):
    """Where every timestamp in gamelake comes from."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...


class Ids(Protocol):
    """Where every identifier in gamelake comes from."""

    def new(self, prefix: str) -> str:
        """Fresh id such as `run_01jd…`; ids made later sort later."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SystemIds:
    """Time-ordered ids with 40 random bits: unique across processes and machines."""

    def new(self, prefix: str) -> str:
        number = (time.time_ns() // 1_000_000) << 40 | int.from_bytes(os.urandom(5))
        digits = []
        for _ in range(18):
            number, rest = divmod(number, 32)
            digits.append(_ALPHABET[rest])
        return f"{prefix}_{''.join(reversed(digits))}"


class FixedClock:
    """A clock that moves only when told."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds


class CountingIds:
    """`run_000001`, `run_000002`, …: the same ids on every run of a test."""

    def __init__(self) -> None:
        self._count = count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{next(self._count):06d}"
