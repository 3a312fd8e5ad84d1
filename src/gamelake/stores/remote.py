"""One policy for every store that another machine runs: try again, and stop asking one that is down."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from gamelake.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gamelake.clock import Clock

_T = TypeVar("_T")


class BreakerState(StrEnum):
    """`open` = the store is not asked until it has rested; `half-open` = the next try decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True)
class Health:
    """What is known of one store; shared by all processes of a project."""

    failures: int = 0  # in a row
    last_failure: str | None = None
    problem: str = ""


class Remote:
    """Tries work against one store. `file` keeps its health, so that each process learns from the others.

    An error counts as the store's when it is a `StoreError`; anything else is raised as it comes.
    """

    def __init__(
        self,
        name: str,
        file: Path,
        *,
        clock: Clock,
        tries: int = 3,
        limit: int = 5,
        rest: float = 30.0,
        pause: float = 0.2,
    ) -> None:
        self.name = name
        self._file = file
        self._clock = clock
        self._tries = tries
        self._limit = limit
        self._rest = timedelta(seconds=rest)
        self._pause = pause

    def run(self, work: Callable[[], _T]) -> _T:
        """The work's result, tried again with growing pauses while the store fails.

        A store that failed `limit` times in a row is not asked for `rest` seconds: StoreError at once.
        """
        import tenacity

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._tries),
            wait=tenacity.wait_exponential_jitter(multiplier=self._pause, jitter=self._pause, max=5.0),
            retry=tenacity.retry_if_exception(self._is_worth_another),
            reraise=True,
        )
        found: _T = retrying(self._once, work)
        return found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """One try that counts, of something the caller repeats by itself."""
        self._admit()
        try:
            yield
        except StoreError as error:
            self._note(error)
            raise
        self._forget()

    @property
    def health(self) -> Health:
        """As the file has it; healthy when there is none, or none that can be read."""
        with suppress(OSError, ValueError, TypeError):
            return Health(**json.loads(self._file.read_bytes()))
        return Health()

    @property
    def state(self) -> BreakerState:
        """Whether the store would be asked now."""
        found = self.health
        if found.failures < self._limit or found.last_failure is None:
            return BreakerState.CLOSED
        rested = self._clock.now() - datetime.fromisoformat(found.last_failure) >= self._rest
        return BreakerState.HALF_OPEN if rested else BreakerState.OPEN

    def _once(self, work: Callable[[], _T]) -> _T:
        with self.watched():
            return work()

    def _is_worth_another(self, error: BaseException) -> bool:
        return isinstance(error, StoreError) and self.state is not BreakerState.OPEN

    def _admit(self) -> None:
        if self.state is BreakerState.OPEN:
            found = self.health
            problem = f"`{self.name}` failed {found.failures} times in a row and is left alone for now: {found.problem}"
            raise StoreError(
                problem, hint=f"it is asked again after {self._rest.seconds} seconds; see `gamelake doctor`"
            )

    def _note(self, error: StoreError) -> None:
        before = self.health
        now = self._clock.now().isoformat()
        self._write(replace(before, failures=before.failures + 1, last_failure=now, problem=error.problem))

    def _forget(self) -> None:
        if self.health.failures:
            self._write(Health())

    def _write(self, health: Health) -> None:
        """Lost counts of two processes at once do no harm; a torn file would."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(f".{uuid4()}")
        new.write_text(json.dumps(asdict(health)), encoding="utf-8")
        os.replace(new, self._file)  # noqa: PTH105 – atomic, as its name says
