"""What publishing costs: a run of the pipeline over the same SQL bare in DuckDB, in the same process.

    python bench/publish.py [--rows 10000000] [--repeat 5] [--json]

Three shapes: `totals` (few groups, grain proven by GROUP BY), `players` (many groups, proven) and
`copy` (every row written, grain not proven, so uniqueness is measured). Each repetition times the bare
COPY and the run one after the other, so that a busy machine slows both. Ratios are of medians, of
wall time and of CPU time; on a machine that others use, the second is the one to trust. What checks cost is the
share of a run that a third one does without, whose layout has neither grain nor checks; both make the content hash.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from gamelake.engines.duckdb import DuckDBEngine, scan
from gamelake.jobs.local import run_now
from gamelake.layouts.load import load_folder
from gamelake.layouts.template import render
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output, Source
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.project import Project
from gamelake.pipeline.source import source_run
from gamelake.settings import Settings

Seconds = tuple[float, float]
"""Wall and CPU."""

DAY = Slice.of(day="2026-02-16")
HITS = Output(
    DatasetName.parse("bench.bronze.hits"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("id", ColumnType.BIGINT, nullable=False),
            Column("player", ColumnType.TEXT, nullable=False),
            Column("spell", ColumnType.INT),
            Column("amount", ColumnType.BIGINT),
            Column("ts", ColumnType.TIMESTAMP),
        )
    ),
    slice_columns=("day",),
)
LAYOUT = """/* ---
description: {name}
inputSources:
  - {{name: hits, dataset: bench.bronze.hits}}
outputs:
  - slice: [day]
    schema: {{{schema}}}
{checks}--- */
{sql}
"""
CHECKS = """    grain: [{grain}]
checks:
  - {{kind: range, column: amount, min: 0}}
  - {{kind: not_null, columns: [amount]}}
  - {{kind: row_count, min: 1}}
"""
UNCHECKED = "_unchecked"
SHAPES = {
    "totals": (
        "player, spell",
        "day: date, player: text, spell: int, hits: bigint, amount: bigint, last: timestamp",
        (
            "SELECT day, player, spell, count(*) AS hits, CAST(sum(amount) AS BIGINT) AS amount, max(ts) AS last\n"
            "FROM hits GROUP BY day, player, spell"
        ),
    ),
    "players": (
        "bucket",
        "day: date, bucket: bigint, hits: bigint, amount: bigint, last: timestamp",
        (
            "SELECT day, id // 5 AS bucket, count(*) AS hits, CAST(sum(amount) AS BIGINT) AS amount, max(ts) AS last\n"
            "FROM hits GROUP BY day, id // 5"
        ),
    ),
    "copy": (
        "id",
        "day: date, id: bigint, player: text, amount: bigint, ts: timestamp",
        "SELECT day, id, upper(player) AS player, amount * 2 AS amount, ts FROM hits",
    ),
}


def make_rows(project: Project, rows: int) -> None:
    """Publish one slice of made-up hits."""
    with source_run(project, "bench", name="hits") as run:
        path = run.staging_file(HITS)
        with project.engine.session() as session:
            sql = (
                "SELECT DATE '2026-02-16' AS day, range AS id, 'Player-' || (hash(range) % 2000) AS player, "
                "CAST(hash(range + 1) % 300 AS INTEGER) AS spell, CAST(hash(range + 2) % 100000 AS BIGINT) AS amount, "
                "TIMESTAMPTZ '2026-02-16 18:00:00+00' + to_milliseconds(CAST(range // 1000 AS BIGINT)) AS ts "
                f"FROM range({rows})"
            )
            session.write(sql, HITS.schema, path)
        run.publish(HITS, {DAY: [path]})


def bare(engine: DuckDBEngine, project: Project, name: str, target: Path) -> Seconds:
    """The same SQL as one COPY."""
    step = project.graph.steps[f"bench.gold.{name}"]
    files = project.ledger.current("bench.bronze.hits")[DAY].files
    with engine.session() as session:
        session.connection.execute(f"CREATE OR REPLACE TEMP VIEW hits AS {scan(HITS.schema, files)}")
        start = now()
        query = f"COPY ({render(step, DAY)}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        session.connection.execute(query).fetchall()
        return since(start)


def piped(project: Project, name: str) -> Seconds:
    """A run that does the same and publishes it."""
    start = now()
    result = run_now(project, RunRequest((f"bench.gold.{name}",), force=True))
    seconds = since(start)
    if result.error:
        raise result.error
    return seconds


def now() -> Seconds:
    """Wall clock and CPU of all threads."""
    return time.perf_counter(), time.process_time()


def since(start: Seconds) -> Seconds:
    """Wall and CPU seconds since a reading."""
    wall, cpu = now()
    return wall - start[0], cpu - start[1]


def measure(project: Project, folder: Path, name: str, repeat: int) -> dict[str, object]:
    """Medians, spread and ratio for one shape."""
    target = folder / "bare.parquet"
    bare(project.engine, project, name, target)
    piped(project, name)  # each once without counting: files in cache, libraries loaded
    piped(project, name + UNCHECKED)
    turns = [
        (
            bare(project.engine, project, name, target),
            piped(project, name),
            piped(project, name + UNCHECKED),
        )
        for _ in range(repeat)
    ]
    plain, full, loose, plain_cpu, full_cpu, loose_cpu = (
        [turn[way][clock] for turn in turns] for clock in (0, 1) for way in (0, 1, 2)
    )
    return {
        "shape": name,
        "rows_out": project.ledger.current(f"bench.gold.{name}")[DAY].rows,
        "grain_proven": project.graph.outputs[f"bench.gold.{name}"].grain_proven,
        "bare_seconds": round(statistics.median(plain), 3),
        "bare_range": [round(min(plain), 3), round(max(plain), 3)],
        "pipeline_seconds": round(statistics.median(full), 3),
        "pipeline_range": [round(min(full), 3), round(max(full), 3)],
        "ratio": round(statistics.median(full) / statistics.median(plain), 3),
        "cpu_ratio": round(statistics.median(full_cpu) / statistics.median(plain_cpu), 3),
        "checks_share": round(1 - statistics.median(loose) / statistics.median(full), 3),
        "checks_cpu_share": round(1 - statistics.median(loose_cpu) / statistics.median(full_cpu), 3),
    }


def main() -> None:
    """Measure all shapes and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gamelake-bench-"))
    try:
        (folder / "layouts" / "gold").mkdir(parents=True)
        (folder / "gamelake.toml").write_text('name = "bench"\n')
        for name, (grain, schema, sql) in SHAPES.items():
            for ending, checks in (("", CHECKS.format(grain=grain)), (UNCHECKED, "")):
                text = LAYOUT.format(name=name, checks=checks, schema=schema, sql=sql)
                (folder / "layouts" / "gold" / f"{name}{ending}.sql").write_text(text)
        members = [Source("hits", (HITS,)), *load_folder(folder / "layouts", "bench")]
        with Project.open(Settings.load(folder), members) as project:
            make_rows(project, chosen.rows)
            found = [measure(project, folder, name, chosen.repeat) for name in SHAPES]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report(found, chosen.rows, as_json=chosen.json)


def report(found: list[dict[str, object]], rows: int, *, as_json: bool) -> None:
    """Print what was measured."""
    if as_json:
        print(json.dumps({"rows": rows, "shapes": found}, indent=2))
        return
    print(f"{rows:,} rows in, one slice; seconds, median (least to most)")
    for row in found:
        proven = "proven" if row["grain_proven"] else "measured"
        print(
            f"{row['shape']:<8} {row['rows_out']:>12,} rows out, grain {proven:<8}  "
            f"bare {row['bare_seconds']} {row['bare_range']}  "
            f"pipeline {row['pipeline_seconds']} {row['pipeline_range']}  "
            f"ratio {row['ratio']}, of CPU {row['cpu_ratio']}  "
            f"checks {row['checks_share']:.1%} of the run, {row['checks_cpu_share']:.1%} of its CPU"
        )


if __name__ == "__main__":
    main()
