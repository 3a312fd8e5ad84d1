"""A project with every output mode, and a naive twin in Python of what its tables must hold.

Also a program, so that tests can kill it: `python modes_project.py ROOT FIRST LAST`.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from gamelake.layouts.load import load_folder
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import OnEmpty, Output, Source, Step
from gamelake.pipeline.project import Project
from gamelake.pipeline.source import source_run
from gamelake.settings import Settings

Row = tuple[str, int, str | None]
"""player, score, guild"""
Days = dict[str, list[Row]]

RAW = Output(
    DatasetName.parse("toy.bronze.raw"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("player", ColumnType.TEXT, nullable=False),
            Column("score", ColumnType.BIGINT, nullable=False),
            Column("guild", ColumnType.TEXT),
        )
    ),
    slice_columns=("day",),
    on_empty=OnEmpty.CLEAR,
)

DAILY = """/* ---
description: Score of each player and day
inputSources: [{name: raw, dataset: toy.bronze.raw}]
outputs:
  - slice: [day]
    grain: [player]
    on_empty: clear
    schema: {day: date, player: text, score: bigint not null, guild: text}
--- */
SELECT day, player, CAST(sum(score) AS BIGINT) AS score, max(guild) AS guild
FROM raw GROUP BY day, player
"""
WINDOW = """/* ---
description: Score of each player over three days
inputSources: [{name: daily, dataset: toy.silver.daily, lookback: 2, on_missing: empty}]
outputs:
  - slice: [day]
    grain: [player]
    on_empty: clear
    schema: {day: date, player: text, score: bigint not null, days: bigint not null}
--- */
SELECT {{ day | day }} AS day, player, CAST(sum(score) AS BIGINT) AS score, count(*) AS days
FROM daily GROUP BY player
"""
TOTAL = """/* ---
description: Score of each player up to a day
inputSources: [{name: daily, dataset: toy.silver.daily}]
carries: true
outputs:
  - slice: [day]
    grain: [player]
    on_empty: clear
    schema: {day: date, player: text, total: bigint not null}
--- */
SELECT {{ day | day }} AS day, player, CAST(sum(n) AS BIGINT) AS total
FROM (SELECT player, total AS n FROM previous UNION ALL SELECT player, score FROM daily)
GROUP BY player
"""
_FOLDED = """/* ---
description: %s
inputSources: [{name: daily, dataset: toy.silver.daily}]
outputs:
  - mode: %s
    slice: [day]
    grain: [player]
    on_empty: clear
    schema: {day: date, player: text, %s}
--- */
SELECT day, player, %s FROM daily
"""
LAYOUTS = {
    "silver/daily": DAILY,
    "gold/window": WINDOW,
    "gold/total": TOTAL,
    "gold/debut": _FOLDED % ("First day of each player", "append_unique", "score: bigint", "score"),
    "gold/latest": _FOLDED
    % ("Last day of each player", "merge", "score: bigint, guild: text", "score, guild"),
    "gold/member": _FOLDED % ("Guilds over time", "scd2", "guild: text", "guild"),
}


def create(root: Path, layouts: dict[str, str] | None = None) -> Path:
    """Write the project's files."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "gamelake.toml").write_text('name = "toy"\npacks = []\n')
    for name, text in (layouts or LAYOUTS).items():
        write(root, name, text)
    return root


def write(root: Path, name: str, text: str) -> None:
    """Put one layout into the project."""
    file = root / "layouts" / f"{name}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def open_modes(root: Path) -> Project:
    """Open the project; also what a worker calls."""
    members: list[Step | Source] = [
        Source("raw", (RAW,)),
        *load_folder(root / "layouts", "toy", cache=root / ".gamelake/cache"),
    ]
    return Project.open(Settings.load(root), members, opener="modes_project:open_modes")


def import_days(project: Project, days: Days) -> None:
    """Publish bronze slices, in one commit."""
    with source_run(project, "import", name="raw") as run:
        run.publish(RAW, {Slice.of(day=d): [rows_of(d, rows)] for d, rows in days.items()})


def rows_of(day: str, rows: list[Row]) -> pa.Table:
    """Bronze rows of one day."""
    columns = {
        "day": pa.array([day] * len(rows), pa.string()),
        "player": pa.array([r[0] for r in rows], pa.string()),
        "score": pa.array([r[1] for r in rows], pa.int64()),
        "guild": pa.array([r[2] for r in rows], pa.string()),
    }
    return pa.table(columns)


def five_days() -> Days:
    """Five days of a few players who come, go and change guild."""
    guilds = ["red", None, "blue"]
    return {
        f"2026-01-0{day}": [
            (f"p{(day * 3 + i) % 6}", day * 10 + i, guilds[(day // 2 + i) % 3]) for i in range(4)
        ]
        for day in range(1, 6)
    }


def tables(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every gold table, sorted."""
    names = [name for name in project.graph.outputs if ".gold." in name and not name.endswith("__delta")]
    with project.connect() as connection:
        return {
            name.rpartition(".")[2]: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
            for name in sorted(names)
        }


def twin(days: Days) -> dict[str, list[tuple[object, ...]]]:
    """What `tables` must give for these bronze days, worked out the slow and obvious way."""
    daily = {day: _daily(rows) for day, rows in sorted(days.items())}
    found: dict[str, list[tuple[object, ...]]] = {
        n: [] for n in ("debut", "latest", "member", "total", "window")
    }
    debut: dict[str, tuple[object, ...]] = {}
    latest: dict[str, tuple[object, ...]] = {}
    history: dict[str, list[tuple[date, str | None]]] = {}
    total: Counter[str] = Counter()
    for text, players in daily.items():
        day = date.fromisoformat(text)
        for player, (score, guild) in players.items():
            debut.setdefault(player, (day, player, score))
            latest[player] = (day, player, score, guild)
            total[player] += score
            said = history.setdefault(player, [])
            if not said or said[-1][1] != guild:
                said.append((day, guild))
        found["total"] += [(day, player, n) for player, n in total.items()]
        window = [daily.get((day - timedelta(days=back)).isoformat(), {}) for back in range(3)]
        for player in {name for part in window for name in part}:
            scores = [part[player][0] for part in window if player in part]
            found["window"].append((day, player, sum(scores), len(scores)))
    found["debut"] = list(debut.values())
    found["latest"] = list(latest.values())
    for player, said in history.items():
        ends = [since for since, _ in said[1:]] + [None]
        for (since, guild), until in zip(said, ends, strict=True):
            found["member"].append((player, guild, since, until, until is None))
    return {name: sorted(rows, key=_nulls_last) for name, rows in found.items()}


def _daily(rows: list[Row]) -> dict[str, tuple[int, str | None]]:
    found: dict[str, tuple[int, str | None]] = {}
    for player, score, guild in rows:
        before, known = found.get(player, (0, None))
        found[player] = (before + score, max(filter(None, (known, guild)), default=None))
    return found


def _nulls_last(row: tuple[object, ...]) -> tuple[tuple[bool, object], ...]:
    return tuple((value is None, 0 if value is None else value) for value in row)


def main(root: Path) -> int:
    """Run everything in a process of its own."""
    from gamelake.jobs.local import run_now
    from gamelake.pipeline.execute import RunRequest

    with open_modes(root) as project:
        return run_now(project, RunRequest()).exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
