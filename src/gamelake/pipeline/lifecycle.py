"""The life of a run around its work: running, kept alive, and always ended."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from threading import Event, Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from gamelake.errors import CancelledRunError, GamelakeError
from gamelake.model.runs import RunState
from gamelake.pipeline.afterwards import tell_others
from gamelake.pipeline.events import Cancel
from gamelake.pipeline.results import error_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from gamelake.pipeline.project import Project

_CANCEL_POLL = 0.5  # seconds between two looks for a cancel request
_BEATS_PER_LEASE = 4


@contextmanager
def running(project: Project, run_id: str, *, cancel: Cancel | None = None) -> Iterator[Cancel]:
    """Move a queued run to running for the block, and to what became of it afterwards.

    Runs whose process has died are marked first. In the main thread the first SIGINT or SIGTERM asks
    the run to cancel; a second SIGINT raises KeyboardInterrupt as usual.
    """
    for dead in project.ledger.interrupt_dead_runs():
        tell_others(project, dead)
    project.ledger.move_run(run_id, RunState.RUNNING)
    cancel = cancel or Cancel()
    try:
        with _kept_alive(project, run_id, cancel), _signals_cancel(cancel):
            try:
                yield cancel
            except (CancelledRunError, KeyboardInterrupt) as err:
                end(project, run_id, RunState.CANCELLED, err)
                raise
            except BaseException as err:
                end(project, run_id, RunState.FAILED, err)
                raise
            end(project, run_id, RunState.SUCCEEDED)
    finally:
        tell_others(project, run_id)


def end(project: Project, run_id: str, state: RunState, error: BaseException | None = None) -> None:
    """Move a run to its last state; one that has ended (others took us for dead) is left as it is."""
    if not project.ledger.run(run_id).state.ended:
        project.ledger.move_run(run_id, state, error=error_json(error) if error else None)


@contextmanager
def _kept_alive(project: Project, run_id: str, cancel: Cancel) -> Iterator[None]:
    """Heartbeat in the background; a cancel request in the ledger becomes a cancel here."""
    stop = Event()
    beat_every = project.settings.lease_seconds / _BEATS_PER_LEASE

    def keep() -> None:
        last_beat = project.clock.monotonic()
        while not stop.wait(min(_CANCEL_POLL, beat_every)):
            try:
                if project.ledger.cancel_requested(run_id):
                    cancel.ask()
                if project.clock.monotonic() - last_beat >= beat_every:
                    project.ledger.heartbeat(run_id)
                    last_beat = project.clock.monotonic()
            except GamelakeError:
                continue  # a locked ledger now may be free at the next beat

    thread = Thread(target=keep, name=f"heartbeat {run_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _signals_cancel(cancel: Cancel) -> Iterator[None]:
    """Only the main thread may set handlers; elsewhere whoever started us handles signals."""
    if current_thread() is not main_thread():
        yield
        return

    def ask(number: int, _frame: FrameType | None) -> None:
        if cancel.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        cancel.ask()

    before: dict[int, Any] = {n: signal.signal(n, ask) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
