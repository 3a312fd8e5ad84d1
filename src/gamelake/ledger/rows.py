"""What the ledger hands out: frozen records, times aware and in UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gamelake.model.checks import CheckKind, Severity
    from gamelake.model.runs import RunState, SliceState
    from gamelake.model.slices import Slice


@dataclass(frozen=True)
class RunRow:
    """One run; `error` is what its failure said, as `code`, `problem` and what else the caller saved."""

    id: str
    kind: str
    title: str
    request: dict[str, Any] = field(hash=False)
    state: RunState
    error: dict[str, Any] | None = field(hash=False)
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    heartbeat_at: datetime | None
    cancel_requested: bool


@dataclass(frozen=True)
class TaskRow:
    """One step over one batch of slices inside a run; `position` orders the tasks of a run."""

    id: str
    step: str
    slices: tuple[str, ...]
    state: str
    position: int = 0
    rows: int | None = None
    seconds: float | None = None
    sql: str | None = None
    error: dict[str, Any] | None = field(default=None, hash=False)
    detail: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class SliceVersion:
    """One published version of a slice."""

    dataset: str
    slice: Slice
    version: int
    files: tuple[str, ...]
    rows: int
    bytes: int
    content_hash: str
    fingerprint: str
    inputs: Mapping[str, Mapping[str, int]] = field(hash=False)
    receipt_id: str
    run_id: str
    step: str
    published_at: datetime


class SliceSummary(NamedTuple):
    """What tells whether something changed, without what it takes to read the rows.

    A tuple: a plan may hold hundreds of thousands of them.
    """

    dataset: str
    slice: Slice
    version: int
    rows: int
    bytes: int
    content_hash: str
    fingerprint: str


AnyVersion: TypeAlias = SliceSummary | SliceVersion
"""A published version, in whole or in short."""


@dataclass(frozen=True)
class SliceStateRow:
    """Where the last attempt at a slice stands; published versions are kept apart from it."""

    dataset: str
    slice: Slice
    state: SliceState
    run_id: str
    detail: str
    changed_at: datetime


@dataclass(frozen=True)
class CheckRow:
    """One check result as it was stored, newest with the highest `seq`."""

    seq: int
    run_id: str
    step: str
    dataset: str
    slice: Slice
    name: str
    kind: CheckKind
    severity: Severity
    value: float
    threshold: str
    passed: bool
    sample: tuple[dict[str, Any], ...] = field(hash=False)
    checked_at: datetime


@dataclass(frozen=True)
class EventRow:
    """Something that happened; `seq` only grows, so a reader asks for what came after its last one."""

    seq: int
    at: datetime
    kind: str
    run_id: str | None
    data: dict[str, Any] = field(hash=False)


class Lease(Protocol):
    """Leave to be the only one at work on something, for as long as it is renewed."""

    @property
    def name(self) -> str:
        """What is leased."""
        ...

    @property
    def token(self) -> int:
        """Fencing token: each later holder of the same name has a higher one."""
        ...

    def check(self) -> None:
        """Renew, and raise LeaseLostError when somebody else has taken over since."""
        ...
