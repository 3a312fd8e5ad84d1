"""Report on log files without a project: the same reader and the same layouts, in a folder that goes away."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.games.wow import datasets
from gamelake.games.wow.events import NightTables, day_of, table_of
from gamelake.games.wow.night import LogPart, Night
from gamelake.games.wow.reader import LineBatch, LogFile
from gamelake.layouts.load import load_folder
from gamelake.layouts.template import render
from gamelake.model.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gamelake.model.steps import Output, SqlStep

    Progress = Callable[[str, float, float], None]

LAYOUTS = Path(__file__).parent / "layouts"


@contextmanager
def open_logs(
    paths: Sequence[Path],
    *,
    zone: str = "UTC",
    year: int | None = None,
    team: str = "",
    progress: Progress | None = None,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[LogFile]]]:
    """Connection in which `wow.silver.*` and `wow.gold.*` hold what the logs say together, and the files read.

    Raises InputError for a path that is no combat log; nothing is kept behind.
    """
    files = [LogFile(path, zone=zone, year=year) for path in paths]
    with tempfile.TemporaryDirectory(prefix="gamelake-") as scratch, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("ATTACH ':memory:' AS wow; CREATE SCHEMA wow.silver; CREATE SCHEMA wow.gold")
        writers = {output.dataset.name: _Spool(output, Path(scratch)) for output in datasets.SILVER}
        for day in _days(files, progress):
            parts = [LogPart(str(at), "0", _Lines(file, day)) for at, file in enumerate(files)]
            _refine(NightTables(Night(parts), day=day_of(day), team=team), writers, progress)
        for spool in writers.values():
            spool.close()
            connection.execute(f"CREATE VIEW wow.silver.{spool.name} AS FROM read_parquet('{spool.path}')")
        _build_gold(connection)
        yield connection, files


class _Lines:
    """The lines of one raid day of a file, as often as asked."""

    def __init__(self, file: LogFile, day: int) -> None:
        self._file, self._day = file, day

    def __call__(self) -> Iterator[LineBatch]:
        for batch in self._file.batches():
            for day, lines in batch.runs(batch.days):
                if day == self._day:
                    yield lines


class _Spool:
    """Rows of one dataset on their way into a file."""

    def __init__(self, output: Output, folder: Path) -> None:
        self.name = output.dataset.name
        self.path = folder / f"{self.name}.parquet"
        self._schema = output.schema
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        plain = pa.schema([pa.field(f.name, _plain(f.type)) for f in table.schema])
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, plain, compression="lz4")
        self._writer.write_table(table.cast(plain))

    def close(self) -> None:
        if self._writer is None:
            self.write(table_of(self._schema, {}, 0))
        if self._writer:
            self._writer.close()


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _days(files: Sequence[LogFile], progress: Progress | None) -> list[int]:
    """Raid days of all files; reading them through also fills each file's counters."""
    days: set[int] = set()
    for file in files:

        def tell(done: int, size: int, name: str = file.path.name) -> None:
            if progress:
                progress(name, done, size)

        for batch in file.batches(tell):
            days.update(np.unique(batch.days).tolist())
    return sorted(days)


def _refine(tables: NightTables, writers: dict[str, _Spool], progress: Progress | None) -> None:
    for table in tables.events():
        writers["events"].write(table)
        if progress:
            progress("events", table.num_rows, 0)
    for output, table in tables.small_tables():
        writers[output.dataset.name].write(table)


def _build_gold(connection: duckdb.DuckDBPyConnection) -> None:
    """Run the pack's layouts once over everything, in the order of what they read."""
    waiting = {step.name: step for step in load_folder(LAYOUTS, "wow")}
    while waiting:
        ready = [s for s in waiting.values() if not any(str(name) in waiting for name in s.inputs.values())]
        for step in ready:
            _build(connection, step)
            del waiting[step.name]


def _build(connection: duckdb.DuckDBPyConnection, step: SqlStep) -> None:
    for view, dataset in step.inputs.items():
        connection.execute(f'CREATE OR REPLACE TEMP VIEW "{view}" AS SELECT * FROM {dataset}')
    columns = ", ".join(
        f'CAST("{c.name}" AS {c.type.sql}) AS "{c.name}"' for c in step.outputs[0].schema.columns
    )
    connection.execute(f"CREATE TABLE {step.name} AS SELECT {columns} FROM ({render(step, Slice())})")
    for view in step.inputs:
        connection.execute(f'DROP VIEW "{view}"')
