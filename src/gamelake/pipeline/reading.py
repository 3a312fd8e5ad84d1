"""Steps that read other systems: one for each table or query, however many layouts read it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from gamelake.errors import LayoutError, Place
from gamelake.layouts.fingerprint import fingerprint
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
    from collections.abc import Iterable, Iterator

    from gamelake.model.schema import Column
    from gamelake.model.steps import Source, SourceInput, Step, StepContext
    from gamelake.pipeline.targets import Targets


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
    """LayoutError for a connection that the profile lacks, or that is of another kind."""
    if isinstance(source.read, FileInput):
        targets.folder(source.read.connection)
    else:
        targets.source(source.read.connection)


def _together(one: SourceInput, other: SourceInput, place: Place) -> SourceInput:
    lax = one.may_lack and other.may_lack
    if replace(one, schema=other.schema, may_lack=other.may_lack) != other:
        problem = f"another layout reads `{one.dataset}` with another `split`, `refresh` or `version`"
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
    output = Output(
        source.dataset,
        source.schema,
        mode=Mode.SNAPSHOT_REPLACE,
        on_empty=OnEmpty.CLEAR,
        allow_shrink=0.0,  # how large it is there is not ours to judge
        description=f"read from {read.connection}: {' '.join(about.split())[:200]}",
    )

    def version() -> str:
        with told_of(source):
            return targets.source(read.connection).version(source)

    return PythonStep(
        name=str(source.dataset),
        inputs={},
        outputs=(output,),
        version=fingerprint(repr(read)),
        run=partial(_read, source, targets),
        description=output.description,
        refresh=source.refresh,
        outside=version if source.refresh is Refresh.VERSION else None,
    )


def _read(source: SourceInput, targets: Targets, context: StepContext) -> None:
    with told_of(source):
        found = targets.source(source.read.connection)
        files = found.read(source, context.scratch(), _Counter(context))
    context.write(str(source.dataset), Slice(), read_parquet(files))


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
        at, line = err.at or Place(), source.place.line
        problem = err.problem
        if at.line is not None and at.line > 1 and isinstance(source.read, QueryInput):
            problem += f" (line {at.line - 1} of the query)"  # it is sent with one line before it
        key = source.place.key
        if at.key is not None and not at.key.startswith("connections."):
            key = f"{(key or '').rpartition('.')[0]}.{at.key}".lstrip(".")
        raise LayoutError(problem, Place(source.place.file, line, key), err.hint) from err
