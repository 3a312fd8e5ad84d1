"""Random draws that are the same on every machine and numpy version.

Only uniform numbers are taken from the generators; everything else is made of them by plain arithmetic, because
the streams behind `normal` or `beta` may change between numpy releases and `log` differs between processors.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

T = TypeVar("T")

_ROOT_3 = 1.7320508075688772


def stable_number(*parts: object) -> int:
    """64 bits that depend on the parts only, not on the process (as `hash` does).

    >>> stable_number("a", 1) == stable_number("a", 1) != stable_number("a", 2)
    True
    """
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def generator(*parts: object) -> np.random.Generator:
    """A numpy generator of its own for the thing that the parts name."""
    return np.random.Generator(np.random.PCG64(stable_number(*parts)))


def normals(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Numbers with mean 0 and deviation 1, never beyond 3.47: four uniforms added up."""
    u = rng.random((4, count))
    return np.asarray((u[0] + u[1] + u[2] + u[3] - 2.0) * _ROOT_3)


class Draws:
    """Single draws for the rare things. Named parts give every thing its own sequence."""

    def __init__(self, *parts: object) -> None:
        self._random = Random(stable_number(*parts)).random

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def real(self, low: float, high: float) -> float:
        return low + self._random() * (high - low)

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self._random() * len(values))]
