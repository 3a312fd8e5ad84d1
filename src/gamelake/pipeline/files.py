"""Steps that read files of others: what is local Parquet stays where it is, the rest is read into the lake once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gamelake.engines.outside import Part, outside_scan
from gamelake.layouts.fingerprint import fingerprint
from gamelake.model.steps import Mode, OnEmpty, Output, PythonStep
from gamelake.stores.files import FileSource, content_hash, refuse_changed, version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from gamelake.model.slices import Slice
    from gamelake.model.steps import FileInput, SourceInput, StepContext
    from gamelake.stores.file_system import FileSystem
    from gamelake.stores.files import Listing


def file_step(source: SourceInput, read: FileInput, system: FileSystem) -> PythonStep:
    """The step that knows a path's slices and their versions."""
    place = FileSource(source, read, system)
    sliced = read.slice_columns
    output = Output(
        source.dataset,
        source.schema,
        mode=Mode.REPLACE_SLICE if sliced else Mode.SNAPSHOT_REPLACE,
        slice_columns=sliced,
        on_empty=OnEmpty.CLEAR,
        allow_shrink=0.0,  # how large it is there is not ours to judge
        description=f"files of {read.connection or 'the project'}: {read.path}",
        in_place=place.in_place,
    )

    def listing() -> Mapping[Slice, str]:
        return {part: version(entries) for part, entries in place.slices().items()}

    return PythonStep(
        name=str(source.dataset),
        inputs={},
        outputs=(output,),
        version=fingerprint(repr(read)),
        run=partial(_read, source, read, place),
        description=output.description,
        listing=listing,
    )


def _read(source: SourceInput, read: FileInput, place: FileSource, context: StepContext) -> None:
    there = place.slices()
    for done, part in enumerate(context.slices):
        entries = there.get(part, ())
        if entries:
            _read_slice(source, read, place, context, part, entries)
        context.finish(part)
        context.progress(done + 1, len(context.slices), "slices")


def _read_slice(
    source: SourceInput,
    read: FileInput,
    place: FileSource,
    context: StepContext,
    part: Slice,
    entries: Listing,
) -> None:
    from gamelake.engines.duckdb import DuckDBSession

    dataset = str(source.dataset)
    number = list(context.slices).index(part)
    files = place.fetched(entries, context.scratch() / str(number))
    context.content(dataset, part, content_hash(files, source.schema))
    if place.in_place:
        context.refer(dataset, part, files)
    else:
        sql = outside_scan(source.schema, [Part(part, tuple(map(str, files)))], read.format)
        made = context.scratch() / f"{number}.parquet"
        written = DuckDBSession(context.connection()).write(sql, source.schema, made)
        if written:
            context.write(dataset, part, read_parquet([made]))
    if place.is_local:
        refuse_changed([entry.path for entry in entries], version(entries))


def read_parquet(files: list[Path]) -> pa.RecordBatchReader:
    """Rows of all files, one batch in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def batches() -> Iterator[pa.RecordBatch]:
        for path in files:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches()

    return pa.RecordBatchReader.from_batches(pq.read_schema(files[0]), batches())
