"""What the API returns; the pages show the same records."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field


class Health(StrEnum):
    """How a dataset is doing, from the ledger alone."""

    FRESH = "fresh"  # published, and every check passed
    WARNING = "warning"  # published, and a check of the last publish warns
    FAILED = "failed"  # the last attempt at a slice failed; readers see the version before it
    RUNNING = "running"
    EMPTY = "empty"  # never published


class DatasetSummary(BaseModel):
    """One dataset of the project and how it is doing."""

    name: str = Field(
        description="Full name, which is also its name in queries", examples=["pack.gold.players"]
    )
    pack: str
    layer: str
    description: str
    step: str | None = Field(description="Step that writes it; null for a source")
    rows: int
    bytes: int
    slices: int = Field(description="Published slices")
    published_at: datetime | None = Field(description="Newest publish of any slice")
    health: Health
    note: str = Field(default="", description="What is wrong, when something is")


class ColumnInfo(BaseModel):
    """One column of a dataset or of a result."""

    name: str
    type: str
    nullable: bool = True
    doc: str = ""
    numeric: bool = False
    key: bool = Field(default=False, description="Part of the grain: identifies a row")
    slice: bool = Field(default=False, description="Part of the slice")


class VersionInfo(BaseModel):
    """One published version of a slice."""

    slice: str
    version: int
    rows: int
    bytes: int
    files: int
    published_at: datetime
    run_id: str
    step: str
    content_hash: str
    fingerprint: str
    current: bool
    inputs: dict[str, dict[str, int]] = Field(description="Dataset → slice → version it was made from")


class SliceInfo(BaseModel):
    """One slice with where its last attempt stands."""

    slice: str
    state: str
    version: int | None
    rows: int | None
    bytes: int | None
    published_at: datetime | None
    run_id: str | None
    detail: str = ""


class CheckInfo(BaseModel):
    """One stored result of a check."""

    run_id: str
    step: str
    dataset: str
    slice: str
    name: str
    kind: str
    severity: str
    value: float
    threshold: str
    passed: bool
    outcome: str = Field(description="passed, warning or failed")
    sample: list[dict[str, Any]] = Field(description="Some of the rows that violate it")
    checked_at: datetime


class CheckGroup(BaseModel):
    """One check of one dataset over all slices of a run."""

    dataset: str
    name: str
    outcome: str = Field(description="The worst of its slices")
    passed: int
    total: int
    worst: CheckInfo


class DatasetDetail(BaseModel):
    """Everything about one dataset but its rows."""

    summary: DatasetSummary
    mode: str | None
    slice_columns: list[str]
    grain: list[str]
    columns: list[ColumnInfo]
    slices: list[SliceInfo] = Field(description="Newest first, at most 500")
    versions: list[VersionInfo] = Field(description="Newest first, at most 200")
    checks: list[CheckInfo] = Field(description="Newest first, at most 200")
    upstream: list[str]
    downstream: list[str]


class Rows(BaseModel):
    """Rows of a dataset or of a statement."""

    columns: list[ColumnInfo]
    rows: list[list[Any]]
    truncated: bool = Field(description="There are more rows than were asked for")
    seconds: float


class RunSummary(BaseModel):
    """One run and how it went."""

    id: str
    kind: str
    title: str
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    live: bool = Field(description="Still queued or running")


class TaskInfo(BaseModel):
    """One step over a batch of slices, inside a run."""

    id: str
    step: str
    state: str
    slices: list[str]
    rows: int | None
    seconds: float | None
    sql: str | None = Field(description="The statement as the engine ran it")
    error: dict[str, Any] | None
    detail: dict[str, Any]


class Publication(BaseModel):
    """One slice version that a run published."""

    dataset: str
    slice: str
    version: int
    rows: int
    bytes: int


class RunDetail(BaseModel):
    """A run with its tasks, checks and what it published."""

    run: RunSummary
    request: dict[str, Any]
    error: dict[str, Any] | None
    cancel_requested: bool
    tasks: list[TaskInfo]
    checks: list[CheckInfo]
    published: list[Publication]
    last_event: int = Field(description="Sequence to continue from in the event stream")


class RunRequest(BaseModel):
    """What to run; nothing named = everything that is missing or stale."""

    model_config = {"extra": "forbid"}

    targets: list[str] = Field(default_factory=list, max_length=200, description="Datasets, or `pack.layer`")
    force: bool = Field(default=False, description="Run also what is up to date")


class RunStarted(BaseModel):
    """A run was created; a process of its own works on it."""

    id: str
    page: str
    events: str


class PlanItem(BaseModel):
    """One step over one slice that a run would do, and why."""

    step: str
    slice: str
    state: str
    reason: str
    rows: int | None = None


class PlanView(BaseModel):
    """What a run would do now."""

    items: list[PlanItem] = Field(description="What is not fresh, at most 200")
    work: int = Field(description="Items a run would build for certain")
    counts: dict[str, int] = Field(description="Items by state, fresh ones too")
    truncated: bool


class QueryRequest(BaseModel):
    """One read-only statement."""

    model_config = {"extra": "forbid"}

    sql: str = Field(description="One SELECT over the project's datasets")
    limit: int = Field(default=500, ge=1, le=10_000)


class Home(BaseModel):
    """The project at a glance."""

    project: str
    zone: str
    datasets: list[DatasetSummary]
    runs: list[RunSummary]
    last_event: int
