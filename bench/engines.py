"""The same layout-like aggregation on DuckDB and on Spark, from Parquet to staged Parquet, values compared.

    python bench/engines.py [--rows 4000000] [--repeats 5] [--json]

Spark runs here as `local[*]`, started before the clock: what is left is the cost of the engine itself.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from _bench import Bench
from gamelake.engines.duckdb import DuckDBEngine
from gamelake.engines.spark import SparkEngine
from gamelake.engines.spark_start import SparkOptions
from gamelake.model.schema import Column, ColumnType, Schema

EVENTS = Schema(
    (
        Column("day", ColumnType.DATE),
        Column("player", ColumnType.TEXT),
        Column("kind", ColumnType.TEXT),
        Column("amount", ColumnType.BIGINT),
    )
)
TOTALS = Schema(
    (
        Column("day", ColumnType.DATE),
        Column("player", ColumnType.TEXT),
        Column("events", ColumnType.BIGINT),
        Column("spent", ColumnType.BIGINT),
        Column("largest", ColumnType.BIGINT),
        Column("mean", ColumnType.DOUBLE),
    )
)
SQL = """SELECT day, player, count(*) AS events, sum(CASE WHEN kind = 'spend' THEN amount END) AS spent,
  max(amount) AS largest, avg(amount) AS mean
FROM events GROUP BY day, player"""


def make(folder: Path, rows: int) -> list[str]:
    """Files of two million events each, of a tenth as many players and days."""
    files = []
    for start in range(0, rows, 2_000_000):
        file = str(folder / f"{start}.parquet")
        count = min(2_000_000, rows - start)
        duckdb.sql(
            f"""COPY (SELECT DATE '2026-01-01' + CAST(range % 30 AS INTEGER) AS day,
            'player-' || (hash(range) % {rows // 300 + 1}) AS player, CASE WHEN range % 3 = 0 THEN 'spend' ELSE 'gain' END AS kind,
            CAST(hash(range + 1) % 10000 AS BIGINT) AS amount FROM range({start}, {start + count}))
            TO '{file}' (FORMAT parquet)"""
        )
        files.append(file)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = make(folder, chosen.rows)
        driver = DuckDBEngine(folder / "spill", memory="2GB")
        spark_engine = SparkEngine(driver, SparkOptions(folder / "spark", memory="2GB"))
        case = Bench(f"aggregate {chosen.rows / 1e6:g} M rows", unit="rows/s")
        results = {}
        with driver.session() as on_duckdb, spark_engine.session() as on_spark:
            for label, session in (("duckdb", on_duckdb), ("spark local[*]", on_spark)):
                session.view("events", EVENTS, files)

                def work(session=session, label=label) -> None:
                    results[label] = session.write(SQL, TOTALS, folder / f"{label[:6]}.parquet")

                work()  # starts Spark, warms both
                case.add(label, work, amount=chosen.rows)
            case.run(repeats=chosen.repeats)
        rows = [sorted(map(str, read(written))) for written in results.values()]
        assert rows[0] == rows[1], "the engines disagree"
        driver.close()


def read(written) -> list[dict]:
    return [row for part in written for row in pq.read_table(part.file.path).to_pylist()]


if __name__ == "__main__":
    main()
