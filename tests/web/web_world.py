"""A small project with a history, made through the real ledger and lake."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from gamelake.clock import FixedClock
from gamelake.ledger.rows import TaskRow
from gamelake.model.checks import Check, CheckKind, CheckResult, Severity
from gamelake.model.names import DatasetName
from gamelake.model.publish import StagedFile, StagedSlice
from gamelake.model.runs import RunState
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Mode, Output, Source, SqlStep
from gamelake.pipeline.project import Project
from gamelake.settings import Settings
from gamelake.stores.base import lease_name

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_DAY = Column("day", ColumnType.DATE, nullable=False, doc="day the match was played")


def _output(name, *columns, slices=("day",), grain=(), checks=(), mode=Mode.REPLACE_SLICE, about=""):
    schema = Schema(columns)
    return Output(DatasetName.parse(name), schema, mode, slices, grain, checks=checks, description=about)


MATCHES = _output(
    "toy.bronze.matches",
    _DAY,
    Column("match_id", ColumnType.BIGINT, nullable=False),
    Column("player", ColumnType.TEXT),
    Column("score", ColumnType.BIGINT),
    about="Matches as the game server wrote them",
)
SCORES = _output(
    "toy.silver.scores",
    _DAY,
    Column("player", ColumnType.TEXT, nullable=False),
    Column("score", ColumnType.BIGINT),
    grain=("day", "player"),
    checks=(Check("score_not_negative", CheckKind.RANGE, {"column": "score", "min": 0}),),
    about="Best score of a player per day",
)
RANKS = _output(
    "toy.gold.ranks",
    Column("player", ColumnType.TEXT, nullable=False),
    Column("best", ColumnType.BIGINT),
    slices=(),
    grain=("player",),
    mode=Mode.SNAPSHOT_REPLACE,
    about="Players by their best score",
)
SCORES_SQL = """-- best score per day
SELECT day, player, max(score) AS score
FROM matches
WHERE player <> '<script>alert(1)</script>'
GROUP BY day, player
"""


def toy_members():
    return [
        Source("toy.import", (MATCHES,), "Reads the server's files"),
        SqlStep(
            "toy.scores",
            {"matches": MATCHES.dataset},
            (SCORES,),
            SCORES_SQL,
            fingerprint="f1",
            description="Best score of a player per day",
        ),
        SqlStep(
            "toy.ranks",
            {"scores": SCORES.dataset},
            (RANKS,),
            "SELECT player, max(score) AS best FROM scores GROUP BY player",
            fingerprint="f2",
        ),
    ]


def open_toy(root: Path) -> Project:
    """Opener for worker processes too."""
    return Project.open(Settings.load(root), toy_members(), opener="web.web_world:open_toy")


@contextmanager
def toy_project(root: Path, *, clock=None, packs=()):
    root.mkdir(parents=True, exist_ok=True)
    named = f"packs = {list(packs)!r}\n" if packs else ""
    (root / "gamelake.toml").write_text(f'name = "Toy arena"\n{named}', encoding="utf-8")
    project = Project.open(
        Settings.load(root), toy_members(), clock=clock or FixedClock(NOW), opener="web.web_world:open_toy"
    )
    with project:
        yield project


def publish(project: Project, run_id: str, step: str, output: Output, slices: dict[Slice, str]):
    """Publish rows given as SQL, through the lake and into the ledger."""
    project.lake.ensure_table(output)
    folder = project.lake.staging_folder(str(output.dataset), run_id)
    staged = []
    for number, (key, sql) in enumerate(slices.items()):
        file = folder / f"{step}-{number}.parquet"
        rows = len(duckdb.sql(sql).fetchall())
        duckdb.sql(f"COPY ({sql}) TO '{file}' (FORMAT parquet)")
        files = (StagedFile(str(file), rows, file.stat().st_size),)
        staged.append(StagedSlice(key, files, rows, f"hash{number}", "f1.f2.f3"))
    with project.ledger.lease(lease_name(str(output.dataset)), "test", ttl=30, wait=5) as lease:
        receipt = project.lake.commit(
            output, staged, receipt_id=project.ids.new("receipt"), run_id=run_id, step=step, lease=lease
        )
    project.ledger.record_publish(receipt)


def matches_sql(day: str, rows: int = 40) -> str:
    return (
        f"SELECT DATE '{day}' AS day, i::BIGINT AS match_id, 'player ' || (i % 7) AS player, "
        f"(i * 37 % 100)::BIGINT AS score FROM range({rows}) t(i)"
    )


def fill(project: Project) -> dict[str, str]:
    """Two days imported and built, one failed run, one that still runs; returns run ids by what they are."""
    ledger = project.ledger
    imported = ledger.create_run("import", "Import two days of matches", {"files": 2})
    ledger.move_run(imported, RunState.RUNNING)
    days = ("2026-11-20", "2026-11-21")
    publish(project, imported, "toy.import", MATCHES, {Slice.of(day=day): matches_sql(day) for day in days})
    ledger.move_run(imported, RunState.SUCCEEDED)

    built = ledger.create_run("run", "Run everything", {"targets": None})
    ledger.move_run(built, RunState.RUNNING)
    for position, day in enumerate(days):
        key = Slice.of(day=day)
        sql = f"SELECT day, player, max(score) AS score FROM ({matches_sql(day)}) GROUP BY ALL"
        publish(project, built, "toy.scores", SCORES, {key: sql})
        passed = CheckResult(
            "score_not_negative", CheckKind.RANGE, Severity.ERROR, 0, "at most 0 rows", passed=True
        )
        warned = CheckResult(
            "few_players",
            CheckKind.ROW_COUNT,
            Severity.WARN,
            7,
            "at least 10 rows",
            passed=False,
            sample=({"day": day},),
        )
        ledger.save_checks(built, "toy.scores", str(SCORES.dataset), key, [passed, warned])
        ledger.save_task(
            built,
            TaskRow(f"t{position}", "toy.scores", (str(key),), "succeeded", position, 7, 0.21, SCORES_SQL),
        )
    publish(
        project,
        built,
        "toy.ranks",
        RANKS,
        {Slice(): "SELECT 'player ' || i AS player, (i * 13)::BIGINT AS best FROM range(7) t(i)"},
    )
    ledger.save_task(built, TaskRow("t9", "toy.ranks", ("all",), "succeeded", 9, 7, 0.05, "SELECT 1"))
    ledger.move_run(built, RunState.SUCCEEDED)

    failed = ledger.create_run("run", "Run toy.scores", {"targets": ["toy.scores"]})
    ledger.move_run(failed, RunState.RUNNING)
    error = {
        "code": "check_failed",
        "problem": "check `score_not_negative` of toy.silver.scores failed: 3 rows",
        "hint": "look at the failing rows below",
    }
    ledger.save_task(
        failed, TaskRow("t1", "toy.scores", ("day=2026-11-21",), "failed", 0, None, 0.3, SCORES_SQL, error)
    )
    result = CheckResult(
        "score_not_negative",
        CheckKind.RANGE,
        Severity.ERROR,
        3,
        "at most 0 rows",
        passed=False,
        sample=({"player": "<b>eve</b>", "score": -4},),
    )
    ledger.save_checks(failed, "toy.scores", str(SCORES.dataset), Slice.of(day="2026-11-21"), [result])
    ledger.move_run(failed, RunState.FAILED, error=error)

    running = ledger.create_run("run", "Run toy.gold", {"targets": ["toy.gold"]})
    ledger.move_run(running, RunState.RUNNING)
    ledger.save_task(
        running, TaskRow("t1", "toy.scores", ("day=2026-11-20",), "succeeded", 0, 7, 0.2, SCORES_SQL)
    )
    ledger.save_task(running, TaskRow("t2", "toy.ranks", ("all",), "running", 1))
    return {"imported": imported, "built": built, "failed": failed, "running": running}
