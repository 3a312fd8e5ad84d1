"""The same models on several engines: seven sources united, grouped, joined with a dimension, and published.

    python bench/engines.py [--rows 50000000] [--repeats 3] [--no-spark] [--no-dbt] [--json]
    python bench/engines.py --memory [--rows 50000000]       peak memory and spill, each in a process of its own

Two models: events of seven tables by day, player and kind; and those by guild. All contenders read the same Parquet
files and write the same two Parquet files, zstd, with the same budget and threads. The bare script is two COPY
statements. gamelake also checks, publishes to the lake and records. dbt runs as a process, which is how it is used; so
does gamelake once. Spark is `local[*]`, started before the clock. The results are compared.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any, Self

import duckdb

import _dbt
from _bench import Bench, peak_memory
from gamelake.engines.duckdb import machine_config
from gamelake.jobs.local import run_now
from gamelake.layouts.load import load_folder
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output, Source
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.project import Project
from gamelake.pipeline.source import source_run
from gamelake.settings import Settings

DAY = Slice.of(day="2026-02-16")
TABLES = 7
EVENTS = tuple(
    Output(
        DatasetName.parse(f"bench.bronze.e{number}"),
        Schema(
            (
                Column("day", ColumnType.DATE, nullable=False),
                Column("player", ColumnType.BIGINT, nullable=False),
                Column("kind", ColumnType.TEXT, nullable=False),
                Column("amount", ColumnType.BIGINT),
                Column("ts", ColumnType.TIMESTAMP),
            )
        ),
        slice_columns=("day",),
    )
    for number in range(TABLES)
)
PLAYERS = Output(
    DatasetName.parse("bench.bronze.players"),
    Schema(
        (
            Column("player", ColumnType.BIGINT, nullable=False),
            Column("guild", ColumnType.TEXT, nullable=False),
        )
    ),
    grain=("player",),
)
UNITED = " UNION ALL ".join(f"SELECT * FROM e{number}" for number in range(TABLES))
SPENT = f"""SELECT day, player, kind, count(*) AS events, CAST(sum(amount) AS BIGINT) AS amount, max(ts) AS last
FROM ({UNITED}) AS united GROUP BY day, player, kind"""
GUILDS = """SELECT s.day, p.guild, s.kind, count(*) AS players, CAST(sum(s.events) AS BIGINT) AS events,
  CAST(sum(s.amount) AS BIGINT) AS amount
FROM spent AS s JOIN players AS p ON s.player = p.player GROUP BY s.day, p.guild, s.kind"""
LAYOUT = """/* ---
description: {name}
inputSources: [{inputs}]
outputs:
  - slice: [day]
    grain: [{grain}]
    schema: {{{schema}}}
checks:
  - {{kind: range, column: amount, min: 0}}
--- */
{sql}
"""


def write_layouts(folder: Path) -> None:
    """The two models as layouts."""
    read = [f"{{name: e{number}, dataset: bench.bronze.e{number}}}" for number in range(TABLES)]
    spent = LAYOUT.format(
        name="Events of a player",
        inputs=", ".join(read),
        grain="day, player, kind",
        schema="day: date not null, player: bigint not null, kind: text not null, events: bigint, amount: bigint, last: timestamp",
        sql=SPENT,
    )
    guilds = LAYOUT.format(
        name="Events of a guild",
        inputs="{name: spent, dataset: bench.silver.spent}, {name: players, dataset: bench.bronze.players}",
        grain="day, guild, kind",
        schema="day: date not null, guild: text not null, kind: text not null, players: bigint, events: bigint, amount: bigint",
        sql=GUILDS,
    )
    for name, text in (("silver/spent", spent), ("gold/guilds", guilds)):
        file = folder / "layouts" / f"{name}.sql"
        file.parent.mkdir(parents=True)
        file.write_text(text)


def opened(folder: Path) -> Project:
    """The project in a folder."""
    layouts = load_folder(folder / "layouts", "bench", cache=folder / ".gamelake" / "layouts")
    return Project.open(Settings.load(folder), [Source("game", (*EVENTS, PLAYERS)), *layouts])


def prepare(folder: Path, rows: int) -> None:
    """A project with its sources published: seven tables of events, and players in guilds."""
    (folder / "gamelake.toml").write_text('name = "bench"\n')
    write_layouts(folder)
    each, players = rows // TABLES, max(1, rows // 150)
    with opened(folder) as project, source_run(project, "bench", name="game") as run:
        for number, output in enumerate(EVENTS):
            sql = (
                f"SELECT DATE '2026-02-16' AS day, CAST(hash(range + {number}) % {players} AS BIGINT) AS player, "
                "'kind-' || (hash(range + 1) % 4) AS kind, CAST(hash(range + 2) % 10000 AS BIGINT) AS amount, "
                "TIMESTAMPTZ '2026-02-16 00:00:00+00' + to_milliseconds(CAST(range // 100 AS BIGINT)) AS ts "
                f"FROM range({each})"
            )
            publish(project, run, output, sql, DAY)
        guilds = f"SELECT range AS player, 'guild-' || (range % 2000) AS guild FROM range({players})"
        publish(project, run, PLAYERS, guilds, Slice())


def publish(project: Project, run: Any, output: Output, sql: str, part: Slice) -> None:
    """Rows of a query as a slice of a source."""
    path = run.staging_file(output)
    with project.engine.session() as session:
        session.write(sql, output.schema, path)
    run.publish(output, {part: [path]})


def files_of(folder: Path) -> dict[str, list[str]]:
    """Name in the SQL → the Parquet files of a source."""
    with opened(folder) as project:
        names = [str(output.dataset) for output in (*EVENTS, PLAYERS)]
        return {
            name.rpartition(".")[2]: [
                file for version in project.ledger.current(name).values() for file in version.files
            ]
            for name in names
        }


def bare(folder: Path, files: dict[str, list[str]]) -> None:
    """Two COPY statements, with our engine's settings."""
    config = {**machine_config(None), "temp_directory": str(folder / "spill")}
    with duckdb.connect(config=config) as connection:
        for name, listed in files.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({listed})")
        for name, sql in (("spent", SPENT), ("guilds", GUILDS)):
            file = folder / f"{name}.parquet"
            connection.execute(f"COPY ({sql}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{file}')")


def ours(folder: Path, engine: str = "duckdb", targets: tuple[str, ...] = ()) -> None:
    """Open the project, build both models, publish."""
    with opened(folder) as project:
        result = run_now(project, RunRequest(targets, force=True, engine=engine))
        if result.error:
            raise result.error


def as_process(folder: Path) -> None:
    """The same in a process of its own."""
    subprocess.run([sys.executable, __file__, f"--child={folder}"], check=True)


def guilds_of(source: str) -> list[Any]:
    """Rows of the second model, in order."""
    return duckdb.sql(f"SELECT * FROM {source} ORDER BY ALL").fetchall()


def compare(folder: Path, others: list[Path]) -> None:
    """All contenders made the same table."""
    with opened(folder) as project:
        [version] = project.ledger.current("bench.gold.guilds").values()
    mine = guilds_of(f"read_parquet({list(version.files)}, hive_partitioning = false)")
    for other in others:
        if guilds_of(f"read_parquet('{other}')") != mine:
            raise AssertionError(other)


def measure(folder: Path, rows: int, chosen: argparse.Namespace) -> None:
    """All contenders in turns."""
    files = files_of(folder)
    plain = folder / "bare"
    plain.mkdir()
    made = [plain / "guilds.parquet"]
    bench = Bench(f"{rows / 1e6:g} M rows: union of seven, group, join, publish", unit="rows/s")
    bench.add("bare DuckDB script", partial(bare, plain, files), amount=rows)
    bench.add("gamelake", partial(ours, folder), amount=rows)
    bench.add("gamelake, a process", partial(as_process, folder), amount=rows)
    if not chosen.no_dbt:
        dbt, home = _dbt.environment(), folder / "dbt"
        config = {k: v for k, v in machine_config(None).items() if not k.startswith("auto")}
        _dbt.write_project(home, models(files), {**config, "temp_directory": home / "spill"})
        bench.add("dbt run, a process", partial(_dbt.run, dbt, home), amount=rows)
        made.append(home / "out" / "guilds.parquet")
    if not chosen.no_spark:
        ours(folder)
        ours(folder, "spark", ("bench.gold.guilds",))  # starts Spark
        bench.add("gamelake on Spark local[*]", partial(ours, folder, "spark"), amount=rows, repeats=1)
    bench.run(repeats=chosen.repeats)
    compare(folder, made)


def models(files: dict[str, list[str]]) -> dict[str, str]:
    """The two models as dbt's, which calls its inputs otherwise."""
    read = {name: f"read_parquet({listed})" for name, listed in files.items()}
    spent, guilds = SPENT, GUILDS.replace("FROM spent", "FROM {{ ref('spent') }}")
    for name, source in read.items():
        spent = spent.replace(f"FROM {name} ", f"FROM {source} ").replace(f"FROM {name})", f"FROM {source})")
    return {"spent": spent, "guilds": guilds.replace("JOIN players", f"JOIN {read['players']}")}


def memory(folder: Path) -> None:
    """Peak resident memory and most bytes spilled, of the bare script and of ours."""
    files = files_of(folder)
    plain = folder / "bare"
    plain.mkdir()
    for name, work, arguments, spill in (
        ("bare DuckDB script", bare, (plain, files), plain / "spill"),
        ("gamelake", ours, (folder,), folder / ".gamelake"),
    ):
        with Watch(spill) as watch:
            peak = peak_memory(work, *arguments)
        print(f"{name}: peak memory {peak / 1e6:,.0f} MB, spilled {watch.most / 1e6:,.0f} MB")


class Watch:
    """The most bytes that a folder's temporary files had while it was watched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most = 0

    def _look(self) -> None:
        while not self._end.wait(0.05):
            sizes = [size_of(file) for file in self._folder.rglob("duckdb_temp*")]
            self.most = max(self.most, sum(sizes))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()


def size_of(file: Path) -> int:
    """Bytes on disk; 0 when it is gone by now."""
    try:
        return file.stat().st_blocks * 512
    except OSError:
        return 0


def main() -> None:
    """Make the sources, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-spark", action="store_true")
    parser.add_argument("--no-dbt", action="store_true")
    parser.add_argument("--memory", action="store_true", help="peak memory and spill, no times")
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        ours(chosen.child)
        return
    with tempfile.TemporaryDirectory(prefix="gamelake-bench-") as name:
        folder = Path(name)
        prepare(folder, chosen.rows)
        if chosen.memory:
            memory(folder)
        else:
            measure(folder, chosen.rows, chosen)


if __name__ == "__main__":
    main()
