"""A small pack for tests: bronze scores from a source, one Python step, SQL layouts above it.

Also a program, so that tests can kill it: `python sample_project.py ROOT import|run|rollback …`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from gamelake.layouts.load import load_folder
from gamelake.model.checks import Check, CheckKind
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import OnEmpty, Output, PythonStep, Source, StepContext
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.project import Project
from gamelake.pipeline.source import source_run
from gamelake.settings import Settings

RAW = Output(
    DatasetName.parse("toy.bronze.scores"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("part", ColumnType.TEXT, nullable=False),
            Column("player", ColumnType.TEXT, nullable=False),
            Column("score", ColumnType.BIGINT),
        )
    ),
    slice_columns=("day", "part"),
    on_empty=OnEmpty.CLEAR,
)
CLEAN = Output(
    DatasetName.parse("toy.silver.clean"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("player", ColumnType.TEXT, nullable=False),
            Column("score", ColumnType.BIGINT, nullable=False),
        )
    ),
    slice_columns=("day",),
    checks=(Check("scores are positive", CheckKind.RANGE, {"column": "score", "min": 0}),),
    on_empty=OnEmpty.CLEAR,
)
SEEN = Output(
    DatasetName.parse("toy.silver.seen"),
    Schema(
        (Column("day", ColumnType.DATE, nullable=False), Column("player", ColumnType.TEXT, nullable=False))
    ),
    slice_columns=("day",),
    grain=("player",),
    on_empty=OnEmpty.CLEAR,
)

DAILY = """/* ---
description: Score of each player and day
inputSources:
  - {name: clean, dataset: toy.silver.clean}
outputs:
  - slice: [day]
    grain: [player]
    on_empty: clear
    schema: {day: date, player: text, score: bigint not null, games: bigint not null}
checks:
  - {kind: range, column: score, max: 1000000, severity: warn}
--- */
SELECT day, player, CAST(sum(score) AS BIGINT) AS score, count(*) AS games
FROM clean WHERE day = {{ day | day }} GROUP BY day, player
"""
PLAYERS = """/* ---
description: Every player ever seen
inputSources:
  - {name: daily, dataset: toy.gold.daily}
  - {name: seen, dataset: toy.silver.seen}
outputs:
  - grain: [player]
    schema: {player: text, days: bigint not null, best: bigint not null}
--- */
SELECT player, count(*) AS days, max(score) AS best FROM daily SEMI JOIN seen USING (day, player) GROUP BY player
"""


def clean(context: StepContext) -> None:
    """Drop rows without a score; note who was seen."""
    connection = context.connection()
    for position, part in enumerate(context.slices):
        files = context.files("raw", part)
        if not files:
            continue
        query = "SELECT day, player, score FROM read_parquet(?) WHERE score IS NOT NULL"
        rows = connection.sql(query, params=[files]).to_arrow_table()
        context.write("toy.silver.clean", part, rows)
        names = pc.unique(rows["player"])
        day = pa.repeat(part.as_dict()["day"], len(names))
        context.write("toy.silver.seen", part, pa.table({"day": day, "player": names}))
        context.progress(position + 1, len(context.slices), "slices")


def members(root: Path, version: str = "1") -> list[object]:
    """Source, step and layouts; layouts are read from the project's own folder."""
    return [
        Source("scores", (RAW,)),
        PythonStep("clean", {"raw": RAW.dataset}, (CLEAN, SEEN), version, clean),
        *load_folder(root / "layouts", "toy", cache=root / ".gamelake" / "cache"),
    ]


def create(root: Path) -> Path:
    """Write the project's files."""
    (root / "layouts" / "gold").mkdir(parents=True)
    (root / "gamelake.toml").write_text('name = "toy"\npacks = []\n')
    (root / "layouts" / "gold" / "daily.sql").write_text(DAILY)
    (root / "layouts" / "gold" / "players.sql").write_text(PLAYERS)
    return root


def open_sample(root: Path) -> Project:
    """Open the project; also what a worker calls."""
    version_file = root / "clean.version"
    version = version_file.read_text() if version_file.exists() else "1"
    return Project.open(Settings.load(root), members(root, version), opener="sample_project:open_sample")


def scores(day: str, part: str, rows: list[tuple[str, int | None]]) -> pa.Table:
    """Bronze rows of one slice."""
    return pa.table(
        {
            "day": [day] * len(rows),
            "part": [part] * len(rows),
            "player": pa.array([name for name, _ in rows], pa.string()),
            "score": pa.array([score for _, score in rows], pa.int64()),
        }
    )


def import_scores(project: Project, day: str, rows: list[tuple[str, int | None]], part: str = "a") -> None:
    """Publish one bronze slice."""
    with source_run(project, f"import {day}", name="scores") as run:
        run.publish(RAW, {Slice.of(day=day, part=part): [scores(day, part, rows)]})


def import_days(project: Project, days: dict[str, list[tuple[str, int | None]]]) -> None:
    """Publish one bronze slice for each day, in one commit."""
    with source_run(project, "import days", name="scores") as run:
        run.publish(RAW, {Slice.of(day=d, part="a"): [scores(d, "a", rows)] for d, rows in days.items()})


def some_rows(seed: int, count: int = 20) -> list[tuple[str, int | None]]:
    """Rows that differ by seed."""
    return [(f"p{(seed * 7 + i) % 11}", (seed * 13 + i * 5) % 97 if i % 6 else None) for i in range(count)]


def contents(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every dataset, sorted."""
    with project.connect() as connection:
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
            for name in project.graph.outputs
        }


def main(root: Path, command: str, *arguments: str) -> int:
    """One command in a process of its own; `import DAY SEED`, `run`."""
    from gamelake.jobs.local import run_now

    with open_sample(root) as project:
        if command == "import":
            import_scores(project, arguments[0], some_rows(int(arguments[1])))
            return 0
        return run_now(project, RunRequest(force="--force" in arguments)).exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
