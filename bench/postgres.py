"""Loading a slice of 12 columns into Postgres: our publish beside the bare COPY, a staging table, and executemany.

    python bench/postgres.py [--rows=1000000] [--repeats=3] [--json]

A real server from the wheel, on a socket, fsync off for all alike. Ours includes: reading Parquet, verifying
footers, locks, DELETE of the old slice, receipt and commit. The bare COPY sends the same rows into an empty
table of the same shape, without key, in one transaction. The staging table (unlogged, made for the run) is the other way to
publish: COPY there, then INSERT … SELECT by name; its price is why we copy into the open transaction instead.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from _bench import Bench
from gamelake.clock import SystemClock
from gamelake.model.names import DatasetName
from gamelake.model.publish import StagedFile, StagedSlice
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output, Target
from gamelake.stores.postgres import PostgresStore
from gamelake.stores.postgres_copy import copy_files
from gamelake.stores.remote import Remote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from postgres_server import USER, running_server

DAY = date(2026, 2, 16)
SCHEMA = Schema(
    (
        Column("day", ColumnType.DATE, nullable=False),
        Column("player", ColumnType.TEXT, nullable=False),
        Column("seen_at", ColumnType.TIMESTAMP, nullable=False),
        *(Column(f"count_{n}", ColumnType.BIGINT) for n in range(5)),
        *(Column(f"share_{n}", ColumnType.DOUBLE) for n in range(3)),
        Column("paying", ColumnType.BOOL),
    )
)
EXECUTEMANY_ROWS = 50_000  # it is slow: fewer rows, and the rate is compared
TYPES = {"date": "date", "text": "text", "timestamp": "timestamptz", "bigint": "bigint", "double": "float8", "bool": "boolean"}  # fmt: skip


class Lease:
    """Nobody disputes it."""

    name, token = "bench", 1

    def check(self) -> None:
        pass


def make_rows(file: Path, rows: int) -> StagedFile:
    draw = np.random.default_rng(1)
    start = int(datetime(2026, 2, 16, tzinfo=UTC).timestamp() * 1e6)
    columns = {
        "day": pa.array([DAY] * rows, pa.date32()),
        "player": pa.array([f"player-{n:08d}" for n in range(rows)]),
        "seen_at": pa.array(start + draw.integers(0, 86_400_000_000, rows), pa.timestamp("us", tz="UTC")),
        **{f"count_{n}": pa.array(draw.integers(0, 1_000_000, rows)) for n in range(5)},
        **{f"share_{n}": pa.array(draw.random(rows)) for n in range(3)},
        "paying": pa.array(draw.random(rows) < 0.1),
    }
    pq.write_table(pa.table(columns), file, compression="zstd")
    return StagedFile(str(file), rows, file.stat().st_size)


def main() -> None:
    rows = next((int(a.partition("=")[2]) for a in sys.argv if a.startswith("--rows=")), 1_000_000)
    with tempfile.TemporaryDirectory() as name, running_server() as server:
        folder = Path(name)
        file = make_rows(folder / "rows.parquet", rows)
        few = pq.read_table(file.path).slice(0, EXECUTEMANY_ROWS).to_pylist()
        clock = SystemClock()
        store = PostgresStore(
            server.connection(),
            folder,
            project="bench",
            clock=clock,
            remote=Remote("bench", folder / "health", clock=clock),
        )
        plain = Output(
            DatasetName.parse("bench.gold.plain"),
            SCHEMA,
            slice_columns=("day",),
            target=Target("b", "bench.plain"),
        )
        keyed = Output(
            DatasetName.parse("bench.gold.keyed"),
            SCHEMA,
            slice_columns=("day",),
            grain=("player",),
            target=Target("b", "bench.keyed"),
        )
        for output in (plain, keyed):
            store.ensure_table(output)
        link = psycopg.connect(host=str(server.folder), user=USER, dbname="postgres", autocommit=True)
        shape = ", ".join(f"{c.name} {TYPES[c.type.value]}" for c in SCHEMA.columns)
        for table in ("bare", "many", "staged"):
            link.execute(f"CREATE TABLE bench.{table} ({shape})")

        def publish(output: Output) -> None:
            # the slice is emptied before, so that every repeat loads into the same table
            link.execute(f"TRUNCATE bench.{output.dataset.name}")
            part = StagedSlice(Slice.of(day=str(DAY)), (file,), rows, "hash", "fingerprint", {})
            store.commit(
                output, [part], receipt_id=str(clock.monotonic()), run_id="r", step="s", lease=Lease()
            )

        def bare(table: str = "bare") -> None:
            link.execute(f"TRUNCATE bench.{table}")
            with link.transaction(), link.cursor() as cursor:
                copy_files(cursor, sql.Identifier("bench", table), SCHEMA, [file.path])

        def staging_table() -> None:
            names = ", ".join(SCHEMA.names)
            link.execute("TRUNCATE bench.staged")
            link.execute(f"CREATE UNLOGGED TABLE bench.run_1 ({shape})")
            with link.cursor() as cursor:
                copy_files(cursor, sql.Identifier("bench", "run_1"), SCHEMA, [file.path])
            link.execute(f"INSERT INTO bench.staged ({names}) SELECT {names} FROM bench.run_1")
            link.execute("DROP TABLE bench.run_1")

        def executemany() -> None:
            link.execute("TRUNCATE bench.many")
            names = ", ".join(SCHEMA.names)
            marks = ", ".join(f"%({name})s" for name in SCHEMA.names)
            with link.transaction(), link.cursor() as cursor:
                cursor.executemany(f"INSERT INTO bench.many ({names}) VALUES ({marks})", few)

        case = Bench("one slice of 12 columns into Postgres", unit="rows/s")
        case.add("gamelake, no grain", lambda: publish(plain), amount=rows)
        case.add("gamelake, primary key", lambda: publish(keyed), amount=rows)
        case.add("bare binary COPY", bare, amount=rows)
        case.add("staging table, then INSERT", staging_table, amount=rows)
        case.add("executemany (50 k rows)", executemany, amount=len(few))
        case.run(repeats=3)
        link.close()


if __name__ == "__main__":
    main()
