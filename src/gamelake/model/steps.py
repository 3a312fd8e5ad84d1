"""A step turns input slices into output slices of named datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from gamelake.model.checks import Check
    from gamelake.model.names import DatasetName
    from gamelake.model.schema import Schema
    from gamelake.model.slices import Slice


class Mode(StrEnum):
    """How an output meets the rows that are already there."""

    REPLACE_SLICE = "replace_slice"
    SNAPSHOT_REPLACE = "snapshot_replace"


class OnEmpty(StrEnum):
    """What a slice without rows means."""

    FAIL = "fail"
    CLEAR = "clear"
    KEEP = "keep"


@dataclass(frozen=True)
class Target:
    """A table of another system that gets every published version too."""

    connection: str  # name in the project's profile
    table: str  # `schema.table`


class Refresh(StrEnum):
    """When a source table that was read is read again; `--force` always does."""

    RUN = "run"  # by every run
    VERSION = "version"  # when its version query answers something else
    FORCE = "force"  # by nothing else


@dataclass(frozen=True)
class TableInput:
    """A table of another system."""

    connection: str
    table: str


@dataclass(frozen=True)
class QueryInput:
    """A query that another system runs, in its own dialect."""

    connection: str
    sql: str


@dataclass(frozen=True)
class Split:
    """Reading in so many part-queries, told apart by the values of a column."""

    column: str
    parts: int


@dataclass(frozen=True)
class SourceInput:
    """What a layout reads from another system, and the dataset that keeps what was read."""

    read: TableInput | QueryInput
    schema: Schema
    split: Split | None = None
    refresh: Refresh = Refresh.RUN
    version_query: str = ""

    @property
    def dataset(self) -> DatasetName:
        """`source.bronze.…`: one dataset for each table or query, however many layouts read it."""
        from hashlib import sha256

        from gamelake.model.names import DatasetName, Layer

        read = self.read
        words = read.table if isinstance(read, TableInput) else "query"
        name = "_".join([read.connection, *words.lower().split(".")])
        if isinstance(read, QueryInput):
            name += f"_{sha256(' '.join(read.sql.split()).encode()).hexdigest()[:8]}"
        return DatasetName("source", Layer.BRONZE, "".join(c if c.isalnum() else "_" for c in name))


@dataclass(frozen=True)
class Output:
    """One dataset a step (or a source) writes."""

    dataset: DatasetName
    schema: Schema
    mode: Mode = Mode.REPLACE_SLICE
    slice_columns: tuple[str, ...] = ()
    grain: tuple[str, ...] = ()
    grain_proven: bool = False
    on_empty: OnEmpty = OnEmpty.FAIL
    allow_shrink: float = 0.5  # snapshot_replace: least share of the old rows that must remain
    checks: tuple[Check, ...] = ()
    description: str = ""
    target: Target | None = None


class StepContext(Protocol):
    """What a Python step is given to work with, one batch of output slices at a time."""

    slices: Sequence[Slice]
    settings: Mapping[str, Any]

    def files(self, dataset: str, for_slice: Slice | None = None) -> list[str]:
        """Parquet files of the input's published slices that agree with the slice (None = all)."""
        ...

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with the shared memory budget; closed after the step."""
        ...

    def scratch(self) -> Path:
        """A folder that lives as long as the batch."""
        ...

    def write(self, dataset: str, for_slice: Slice, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Stage rows of one output slice; may be called several times for a slice."""
        ...

    def finish(self, for_slice: Slice) -> None:
        """Say that no more rows come for this slice, so that they are written while the step goes on; optional."""
        ...

    def progress(self, done: float, total: float, unit: str = "rows") -> None:
        """Report how far this batch is; also where a cancelled run stops."""
        ...


@dataclass(frozen=True)
class SqlStep:
    """A layout: one SQL text over named inputs."""

    name: str
    inputs: Mapping[str, DatasetName]  # view name in the SQL → dataset
    outputs: tuple[Output, ...]
    sql: str  # Jinja2 template as written
    variables: Mapping[str, str] = field(default_factory=dict)  # name → type
    bindings: Mapping[str, str] = field(default_factory=dict)  # variable → slice column it comes from
    sources: Mapping[str, SourceInput] = field(default_factory=dict)  # those of the inputs that are not ours
    fingerprint: str = ""  # of the SQL without comments, spacing and letter case
    file: str = ""
    sql_line: int = 1  # line of the file where the SQL starts
    description: str = ""


@dataclass(frozen=True)
class PythonStep:
    """A step written in Python; `version` is bumped by hand when its meaning changes."""

    name: str
    inputs: Mapping[str, DatasetName]
    outputs: tuple[Output, ...]
    version: str
    run: Callable[[StepContext], None]
    description: str = ""
    refresh: Refresh | None = None  # of a step that reads another system
    outside: Callable[[], str] | None = None  # version of what it reads there, for `Refresh.VERSION`


@dataclass(frozen=True)
class Source:
    """Makes slices appear from outside: an import, a receiver. `run` never starts it."""

    name: str
    outputs: tuple[Output, ...]
    description: str = ""


Step = SqlStep | PythonStep
"""What `run` can build."""
