"""Steps that read other systems: one for each table or query, however many layouts read it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from gamelake.connections import FileConnection, IcebergConnection, LakeConnection
from gamelake.errors import LayoutError, Place
from gamelake.layouts.fingerprint import fingerprint
from gamelake.layouts.paths import SLICE_TYPES
from gamelake.model.schema import Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import (
    FileInput,
    Mode,
    OnEmpty,
    Output,
    PythonStep,
    QueryInput,
    Refresh,
    SqlStep,
    TableInput,
)
from gamelake.pipeline.files import file_step, read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gamelake.model.schema import Column
    from gamelake.model.steps import Source, SourceInput, Step, StepContext
    from gamelake.pipeline.targets import Targets
    from gamelake.stores.source import SourceReader

_BATCH_ROWS = 100_000


def reading_steps(members: Iterable[Step | Source], targets: Targets) -> list[PythonStep]:
    """Steps for everything the layouts read from elsewhere; what two of them say of one table must agree.

    Their columns are put together, so that the table is read once with all of them.
    """
    wanted: dict[str, SourceInput] = {}
    errors: list[LayoutError] = []
    for member in members:
        if not isinstance(member, SqlStep):
            continue
        for name, source in member.sources.items():
            place = Place(member.file or None, key=f"inputSources.{name}")
            try:
                _refuse_unfit(source, targets)
                known = wanted.setdefault(str(source.dataset), source)
                wanted[str(source.dataset)] = _together(known, source, place)
            except LayoutError as error:
                errors.append(LayoutError(error.problem, place, error.hint))
    if errors:
        raise LayoutError.all_of(errors)
    return [_step(source, targets) for source in wanted.values()]


def _refuse_unfit(source: SourceInput, targets: Targets) -> None:
    """LayoutError for a connection that the profile lacks, or that cannot give what is asked of it. Asks nobody."""
    if isinstance(source.read, FileInput):
        targets.folder(source.read.connection)
        return
    found = targets.connection(source.read.connection)
    if isinstance(found, FileConnection | LakeConnection):
        problem = f"the connection `{found.name}` is of the kind `{found.kind}`, which holds no tables"
        kind = "file" if isinstance(found, FileConnection) else "dataset"
        raise LayoutError(problem, hint=f"read it by an input of the type `{kind}`")
    if isinstance(found, IcebergConnection):
        _refuse_of_iceberg(source)
    if source.split and any(source.split.column == v.column and not v.is_answered for v in source.variables):
        problem = f"`split` names `{source.split.column}`, which the query does not give"
        raise LayoutError(problem, hint="split by a column of the query")


def _refuse_of_iceberg(source: SourceInput) -> None:
    if not isinstance(source.read, TableInput):
        problem = "an Iceberg catalogue has tables, and runs no queries"
        raise LayoutError(problem, hint="read a `table`, and filter in the layout's SQL")
    if source.version_query:
        problem = "an Iceberg table has versions of its own, its snapshots"
        raise LayoutError(problem, hint="remove `refresh` and `version`")
    if source.split is not None:
        problem = "`split` does nothing for an Iceberg table: its files are read one after the other"
        raise LayoutError(problem, hint="remove it; `slice` reads less")


def _together(one: SourceInput, other: SourceInput, place: Place) -> SourceInput:
    lax = one.may_lack and other.may_lack
    if replace(one, schema=other.schema, may_lack=other.may_lack) != other:
        problem = (
            f"another layout reads `{one.dataset}` with another `split`, `refresh`, `version` or default"
        )
        raise LayoutError(problem, place, "say the same in both")
    columns: dict[str, Column] = {column.name: column for column in one.schema.columns}
    for column in other.schema.columns:
        known = columns.setdefault(column.name, column)
        if (known.type, known.nullable) != (column.type, column.nullable):
            problem = f"another layout reads `{column.name}` of `{one.dataset}` as {known.type.value}, this one as {column.type.value}"
            raise LayoutError(problem, place, "give it one type in both, also `not null` or not")
    every = Schema(tuple(sorted(columns.values(), key=lambda column: column.name)))
    return replace(one, schema=every, may_lack=lax)


def _step(source: SourceInput, targets: Targets) -> PythonStep:
    read = source.read
    if isinstance(read, FileInput):
        return file_step(source, read, targets.folder(read.connection))
    about = read.table if isinstance(read, TableInput) else read.sql
    there = targets.connection(read.connection)
    tells_versions = isinstance(there, IcebergConnection)
    is_told = bool(source.variables) and not source.version_query
    output = Output(
        source.dataset,
        source.schema,
        mode=Mode.REPLACE_SLICE if source.sliced else Mode.SNAPSHOT_REPLACE,
        slice_columns=source.sliced,
        on_empty=OnEmpty.FAIL if is_told and not source.may_lack else OnEmpty.CLEAR,
        allow_shrink=0.0,  # how large it is there is not ours to judge
        description=f"read from {read.connection}: {' '.join(about.split())[:200]}",
    )
    refresh = source.refresh
    if tells_versions and refresh is Refresh.RUN:
        refresh = Refresh.VERSION

    def version() -> str:
        with told_of(source):
            return targets.source(read.connection).version(source)

    def listing() -> Mapping[Slice, str]:
        if is_told:
            return {}
        with told_of(source):
            found = targets.source(read.connection).listing(source)
        return found if refresh is Refresh.VERSION else dict.fromkeys(found, "")

    return PythonStep(
        name=str(source.dataset),
        inputs={},
        outputs=(output,),
        version=fingerprint(repr(read), there.kind, there.where),  # another profile has other rows
        run=partial(_read, source, targets),
        description=output.description,
        refresh=refresh,
        outside=version if refresh is Refresh.VERSION and not source.sliced else None,
        listing=listing if source.sliced else None,
        usual=partial(_usual, source, targets) if is_told else None,
    )


def _usual(source: SourceInput, targets: Targets) -> Slice | None:
    """What a query is asked for where nobody says; None with a variable that only a person can give."""
    from gamelake.layouts.variables import checked

    values: dict[str, str] = {}
    for variable in source.variables:
        if not variable.default:
            return None
        kind = SLICE_TYPES[source.schema[variable.column].type]
        values[variable.column] = checked(variable.name, variable.default, kind, targets.today())
    return Slice(tuple((name, values[name]) for name in source.sliced))


def _read(source: SourceInput, targets: Targets, context: StepContext) -> None:
    reader, tell = targets.source(source.read.connection), _Counter(context)
    if not source.variables:
        _read_together(source, reader, context, tell)
        return
    for number, part in enumerate(context.slices):
        folder = context.scratch() / str(number)
        folder.mkdir()
        with told_of(source):
            files = reader.read(source, folder, tell, (part,))
        context.write(str(source.dataset), part, read_parquet(files))
        context.finish(part)


def _read_together(source: SourceInput, reader: SourceReader, context: StepContext, tell: _Counter) -> None:
    """All slices of a batch by one query (or one for each part): the other system scans its table once for them."""
    from gamelake.engines.duckdb import quoted, scan
    from gamelake.layouts.template import literal

    dataset = str(source.dataset)
    with told_of(source):
        files = reader.read(source, context.scratch(), tell, context.slices if source.sliced else ())
    if len(context.slices) == 1:
        context.write(dataset, context.slices[0], read_parquet(files))
        return
    every = scan(source.schema, [str(file) for file in files])
    for part in context.slices:
        condition = " AND ".join(
            f"{quoted(name)} = CAST({literal(value)} AS {source.schema[name].type.sql})"
            for name, value in part.keys
        )
        rows = (
            context.connection()
            .sql(f"SELECT * FROM ({every}) WHERE {condition}")
            .to_arrow_reader(_BATCH_ROWS)
        )
        context.write(dataset, part, rows)
        context.finish(part)


class _Counter:
    """Reports rows as they come, from several threads; where a cancelled run stops."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._lock = Lock()
        self._rows = 0

    def __call__(self, rows: int) -> None:
        with self._lock:
            self._rows += rows
            self._context.progress(self._rows, self._rows)


@contextmanager
def told_of(source: SourceInput) -> Iterator[None]:
    """Mistakes of a table's name or of a query get the place of the layout that has them."""
    try:
        yield
    except LayoutError as err:
        raise LayoutError.all_of(_told_of(source, each) for each in (err, *err.others)) from err


def _told_of(source: SourceInput, err: LayoutError) -> LayoutError:
    at, problem, key = err.at or Place(), err.problem, source.place.key
    if at.file is not None:
        return LayoutError(problem, at, err.hint)
    if at.line is not None and at.line > 1 and isinstance(source.read, QueryInput):
        problem += f" (line {at.line - 1} of the query)"  # it is sent with one line before it
    if at.key is not None and not at.key.startswith("connections."):
        key = f"{(key or '').rpartition('.')[0]}.{at.key}".lstrip(".")
    return LayoutError(problem, Place(source.place.file, source.place.line, key), err.hint)
