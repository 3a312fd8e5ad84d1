"""States of runs and slices, and the legal moves between them."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Life of a run: one call of `run`, `import`, `backfill`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its process died; a later run resumes the work

    @property
    def ended(self) -> bool:
        """True when nothing will move this run any more."""
        return not RUN_MOVES[self]


RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED, RunState.FAILED}),
    RunState.RUNNING: frozenset(
        {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED}
    ),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
    RunState.INTERRUPTED: frozenset(),
}


class SliceState(StrEnum):
    """What the ledger knows of one slice of one dataset."""

    MISSING = "missing"
    RUNNING = "running"
    STAGED = "staged"
    AUDITED = "audited"
    PUBLISHED = "published"
    FAILED = "failed"
    STALE = "stale"
