"""A step turns input slices into output slices of named datasets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from gamelake.errors import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from gamelake.model.checks import Check
    from gamelake.model.names import DatasetName
    from gamelake.model.schema import Schema
    from gamelake.model.slices import Slice


PREVIOUS = "previous"
"""View by which a layout that carries state reads its own slice before."""


class Mode(StrEnum):
    """How an output meets the rows that are already there."""

    REPLACE_SLICE = "replace_slice"
    SNAPSHOT_REPLACE = "snapshot_replace"
    APPEND_UNIQUE = "append_unique"  # the first row of each grain stays
    MERGE = "merge"  # the last row of each grain counts
    SCD2 = "scd2"  # every row of a grain counts from when it was first said until another one

    @property
    def folds(self) -> bool:
        """True when the table is made of what all slices say, one after the other."""
        return self in {Mode.APPEND_UNIQUE, Mode.MERGE, Mode.SCD2}


class OnEmpty(StrEnum):
    """What a slice without rows means."""

    FAIL = "fail"
    CLEAR = "clear"
    KEEP = "keep"


class OnMissing(StrEnum):
    """What an input slice that was never published means for the output slice that needs it."""

    FAIL = "fail"  # the output slice waits for it
    EMPTY = "empty"  # the input has no rows there


@dataclass(frozen=True)
class Reading:
    """How a layout reads one input: so many earlier and later days beside the slice's own."""

    lookback: int = 0
    on_missing: OnMissing = OnMissing.FAIL
    lookahead: int = 0  # of these only those that are there
    slices: tuple[tuple[str, str], ...] = ()  # the input's slice column → ours, where their names differ
    days: tuple[int, ...] = ()  # instead of all days of a span: these only, counted from the slice's own
    current_state: bool = False  # a newer version makes no slice stale: each keeps what it was built from
    told: tuple[
        tuple[str, str, int], ...
    ] = ()  # `lookback` or `lookahead`, the variable it follows, what is added

    @property
    def offsets(self) -> Sequence[int]:
        """Days that the view spans, counted from the slice's own, in their order."""
        return self.days or range(-self.lookback, self.lookahead + 1)

    @property
    def spans(self) -> bool:
        """True when the view shows other days than the slice's own."""
        return tuple(self.offsets) != (0,)


@dataclass(frozen=True)
class Chain:
    """How slices that carry state follow each other."""

    daily: bool = False  # a day between two slices that has none is an error
    first: str = ""  # variable that holds the first day: before it there are no slices


@dataclass(frozen=True)
class Target:
    """A table of another system that gets every published version too."""

    connection: str  # name in the project's profile
    table: str  # `schema.table`


@dataclass(frozen=True)
class FileTarget:
    """A folder of files that gets every published version too, one file for each slice."""

    connection: str  # of the kind `file`; empty = the project's own folder
    path: str  # below the connection's root
    format: FileFormat
    order: tuple[str, ...]  # slice columns, as their folders lie in each other


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


class FileFormat(StrEnum):
    """What files of a source hold; texts may be compressed with gzip or zstd."""

    PARQUET = "parquet"
    CSV = "csv"  # with a header; an empty field is null
    JSON = "json"  # one object in a line


@dataclass(frozen=True)
class FileInput:
    """A folder of files (or one file). `{day}` in the path is the slice column `day`, one folder for each value."""

    connection: str  # of the kind `file`; empty = the project's own folder
    path: str  # below the connection's root
    format: FileFormat = FileFormat.PARQUET

    @property
    def slice_columns(self) -> tuple[str, ...]:
        """Columns whose values the path tells, in the order in which it does."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))


@dataclass(frozen=True)
class Split:
    """Reading in so many part-queries, told apart by the values of a column."""

    column: str
    parts: int


@dataclass(frozen=True)
class Variable:
    """A variable of a query that another system runs: the slice column that gives its value."""

    name: str
    column: str
    default: str = ""  # text of its value where nobody asks for a slice
    is_answered: bool = True  # the query gives the column; else it is added to its rows


@dataclass(frozen=True)
class SourceInput:
    """What a layout reads from another system, and the dataset that keeps what was read."""

    read: TableInput | QueryInput | FileInput
    schema: Schema
    split: Split | None = None
    refresh: Refresh = Refresh.RUN
    version_query: str = ""
    may_lack: bool = False  # what is not there holds nothing, instead of being an error
    sliced: tuple[str, ...] = ()  # columns of the schema by which a table or query is read, a slice at a time
    variables: tuple[Variable, ...] = ()  # of the query
    place: Place = field(default=Place(), compare=False, repr=False)  # of the table's name, or of the SQL

    @property
    def dataset(self) -> DatasetName:
        """`source.bronze.…`: one dataset for each table, query or path, however many layouts read it."""
        from hashlib import sha256

        from gamelake.model.names import DatasetName, Layer

        read = self.read
        if isinstance(read, FileInput):
            words = re.sub(r"/[^/]*\{.*", "", read.path)  # etl_login/ds={ds} → etl_login
            hashed = (
                ""
                if read.path in {words, *(f"{words}/{c}={{{c}}}" for c in read.slice_columns)}
                else read.path
            )
            hashed += "" if read.format is FileFormat.PARQUET else f".{read.format}"
        else:
            words = read.table if isinstance(read, TableInput) else "query"
            hashed = " ".join(read.sql.split()) if isinstance(read, QueryInput) else ""
        name = "_".join([read.connection.lower() or "files", *words.strip("./").lower().split(".")])
        if hashed:
            name += f"_{sha256(hashed.encode()).hexdigest()[:8]}"
        if self.sliced:
            name += "_by_" + "_".join(self.sliced)
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
    evolve: bool = False  # new nullable columns and wider types change the table; all else is drift
    target: Target | FileTarget | None = None
    in_place: bool = False  # rows stay in the files they came in; the lake has no table of them


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

    def refer(self, dataset: str, for_slice: Slice, files: Sequence[Path]) -> None:
        """Say which Parquet files of others hold the rows of a slice, of an output that stays `in_place`."""
        ...

    def content(self, dataset: str, for_slice: Slice, content_hash: str) -> None:
        """Give a hash of the slice's content, equal exactly when the rows are; otherwise the audit makes one."""
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
    defaults: Mapping[str, str] = field(
        default_factory=dict
    )  # variable → text used where nobody gives a value
    values: Mapping[str, str] = field(default_factory=dict)  # unbound variable → its value in this run
    sql_file: str = ""  # where the SQL stands when that is another file than `file`
    sql_on_one_line: bool = False  # the whole text is written on `sql_line`, as JSON does
    readings: Mapping[str, Reading] = field(default_factory=dict)  # view name → how; absent = plainly
    carries: bool = False  # reads its own slice before as the view `previous`
    chain: Chain = Chain()  # of a step that carries
    delta_of: DatasetName | None = None  # the table that is folded from what this writes

    def sql_place(self, line: int, key: str | None = None) -> Place:
        """Where a line (1-based) of the SQL stands."""
        at = self.sql_line if self.sql_on_one_line else self.sql_line + line - 1
        return Place(self.sql_file or self.file or None, at, key)


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
    # slices there are outside, each with its version ("" = only reading it could tell)
    listing: Callable[[], Mapping[Slice, str]] | None = None
    usual: Callable[[], Slice | None] | None = (
        None  # what is read where nobody asks for a slice and none is listed
    )


@dataclass(frozen=True)
class FoldStep:
    """Makes one table of the deltas of a layout, in the order of their slices."""

    name: str
    inputs: Mapping[str, DatasetName]  # `delta` → the dataset of the deltas
    outputs: tuple[Output, ...]
    mode: Mode
    grain: tuple[str, ...]
    order: tuple[str, ...]  # slice columns of the deltas
    file: str = ""
    description: str = ""


@dataclass(frozen=True)
class Source:
    """Makes slices appear from outside: an import, a receiver. `run` never starts it."""

    name: str
    outputs: tuple[Output, ...]
    description: str = ""


Step = SqlStep | PythonStep | FoldStep
"""What `run` can build."""
