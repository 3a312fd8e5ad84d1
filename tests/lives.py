"""What property tests over whole lives of a project share: how many, and how one is cut short."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

from gamelake import failpoints

LIVES = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a life takes too long to be shrunk
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class DiedError(BaseException):
    """Stands for SIGKILL inside one process: passes every `except Exception`."""


def die_at(monkeypatch: pytest.MonkeyPatch, number: int | None) -> None:
    """Raise at the n-th failpoint from now; None = never."""
    left = [number]

    def hit(_name: str) -> None:
        if left[0] is None:
            return
        left[0] -= 1
        if left[0] <= 0:
            left[0] = None
            raise DiedError

    monkeypatch.setattr(failpoints, "hit", hit)
