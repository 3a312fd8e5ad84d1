"""Steps that read other systems: one for each table or query, however many layouts read it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gamelake.errors import LayoutError, Place
from gamelake.layouts.fingerprint import fingerprint
from gamelake.model.schema import Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import FileInput, Mode, OnEmpty, Output, PythonStep, Refresh, SqlStep, TableInput
from gamelake.pipeline.files import file_step, read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gamelake.model.schema import Column
    from gamelake.model.steps import Source, SourceInput, Step, StepContext
    from gamelake.pipeline.targets import Targets
    from gamelake.stores.postgres_source import PostgresSource


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
        targets.store(source.read.connection)


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
        return targets.source(read.connection).version(source.version_query)

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
    found: PostgresSource = targets.source(source.read.connection)
    files = found.read(source, context.scratch())
    context.write(str(source.dataset), Slice(), read_parquet(files))
