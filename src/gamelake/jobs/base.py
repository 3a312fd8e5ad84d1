"""Who executes a run: the ledger owns its state, an executor only carries its id."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from gamelake.errors import GamelakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gamelake.pipeline.execute import RunRequest
    from gamelake.pipeline.project import Project

_Answer = TypeVar("_Answer")


class Executor(Protocol):
    """Carries runs to where they are executed."""

    def submit(self, project: Project, request: RunRequest) -> str:
        """Create a run and see to it that some process executes it; returns its id at once.

        When no process can be started the run is failed and OperatorError raised.
        """
        ...


def retry(
    action: Callable[[], _Answer],
    *,
    tries: int = 3,
    pause: float = 0.2,
    sleep: Callable[[float], None] = time.sleep,
) -> _Answer:
    """Result of the action, tried again after retryable errors with doubling pauses; the last error is raised."""
    import tenacity

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(tries),
        wait=tenacity.wait_exponential_jitter(multiplier=pause, jitter=pause),
        retry=tenacity.retry_if_exception(lambda err: isinstance(err, GamelakeError) and err.retryable),
        sleep=sleep,
        reraise=True,
    )
    return retrying(action)
