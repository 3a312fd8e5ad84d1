"""What a run tells while it works: to a listener in this process, and to the ledger for all others."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gamelake.errors import CancelledRunError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gamelake.clock import Clock
    from gamelake.engines.base import Session
    from gamelake.ledger.ledger import Ledger

ProgressKind = Literal["step_started", "step_progress", "step_finished", "slice_failed", "step_blocked"]
"""What a progress record is about."""

_LEDGER_PAUSE = 0.25  # seconds between two progress events of one step in the ledger


@dataclass(frozen=True)
class Progress:
    """How far a step (or an import) is. `done` of `total` in `unit`; `rows` written so far."""

    kind: ProgressKind
    step: str
    done: float = 0
    total: float = 0
    unit: str = "slices"
    rows: int = 0
    seconds: float = 0.0
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as event data."""
        fields = ("step", "done", "total", "unit", "rows", "seconds", "message")
        return {name: getattr(self, name) for name in fields}


class Listener(Protocol):
    """Told of progress from the run's threads, one call at a time."""

    def __call__(self, progress: Progress) -> None: ...


class Cancel:
    """A request to stop, seen between slices; also stops the queries that run when it comes."""

    def __init__(self) -> None:
        self._asked = Event()
        self._lock = Lock()
        self._sessions: set[Session] = set()

    @property
    def asked(self) -> bool:
        """True once somebody wants the run to stop."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Ask for the stop; again does nothing more."""
        self._asked.set()
        with self._lock:
            for session in self._sessions:
                session.interrupt()

    def check(self) -> None:
        """Raise CancelledRunError when the stop was asked for."""
        if self.asked:
            problem = "the run was cancelled"
            raise CancelledRunError(problem)

    def guarding(self, session: Session) -> AbstractContextManager[Session]:
        """For the block, `ask` also interrupts what this session runs."""
        return _Guard(self, session)

    def _add(self, session: Session) -> None:
        with self._lock:
            self._sessions.add(session)

    def _remove(self, session: Session) -> None:
        with self._lock:
            self._sessions.discard(session)


class _Guard:
    def __init__(self, cancel: Cancel, session: Session) -> None:
        self._cancel = cancel
        self._session = session

    def __enter__(self) -> Session:
        self._cancel._add(self._session)  # noqa: SLF001 - two halves of one thing
        return self._session

    def __exit__(self, *exc: object) -> None:
        self._cancel._remove(self._session)  # noqa: SLF001


class Reporter:
    """Sends progress to the listener at once and to the ledger no more than a few times a second."""

    def __init__(self, ledger: Ledger, clock: Clock, run_id: str, listener: Listener | None = None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._run_id = run_id
        self._listener = listener
        self._lock = Lock()
        self._last: dict[str, float] = {}

    def tell(self, progress: Progress) -> None:
        """Pass a record on; only `step_progress` is ever dropped."""
        with self._lock:
            if self._listener is not None:
                self._listener(progress)
            now = self._clock.monotonic()
            if progress.kind == "step_progress":
                if now - self._last.get(progress.step, -_LEDGER_PAUSE) < _LEDGER_PAUSE:
                    return
                self._last[progress.step] = now
        kind = progress.kind.replace("_", ".", 1)
        self._ledger.append_event(kind, run_id=self._run_id, data=progress.to_json())


def seconds_since(clock: Clock, start: float) -> float:
    """Seconds since a monotonic reading, to the millisecond."""
    return round(clock.monotonic() - start, 3)
