"""Projects of the L2M pack over simulated sources, and the truth to compare their tables with."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from gamelake.games.l2m.simulate import L2mSimulator
from gamelake.packs import open_project

if TYPE_CHECKING:
    from pathlib import Path

    from gamelake.pipeline.project import Project

TRUE_TABLES = ("daily_kpi", "cum_rev", "server_performance", "retention", "ltv")
START = date(2026, 2, 20)
_SETTINGS = """\
name = "l2m"
packs = ["l2m"]
zone = "Asia/Ho_Chi_Minh"

[profiles.dev.connections.l2m]
kind = "file"
root = "{source}"
"""


def simulate(
    out: Path, *, seed: int, users: int = 80, days: int = 9, scenario: str = "default", **rest: Any
) -> Path:
    """A source folder with its truth."""
    L2mSimulator(users=users, days=days, start=START, seed=seed, scenario=scenario, **rest).write(out)
    return out


def create(root: Path, source: Path) -> Path:
    """A project that reads the source, with its settings."""
    root.mkdir(parents=True)
    (root / "gamelake.toml").write_text(_SETTINGS.format(source=source))
    shutil.copytree(source / "seeds", root / "seeds")
    return root


def rows(project: Project, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with project.connect() as connection:
        found = connection.sql(sql).to_arrow_table().to_pylist()
    return [tuple(tuple(v) if isinstance(v, list) else v for v in row.values()) for row in found]


def differences(project: Project, source: Path, table: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Rows of a table that the truth lacks, and rows of the truth that the table lacks; a few of each."""
    truth = pq.read_table(source / "truth" / f"{table}.parquet")
    expected = Counter(tuple(row.values()) for row in truth.to_pylist())
    seen = Counter(rows(project, f"SELECT {', '.join(truth.column_names)} FROM l2m.gold.{table}"))
    assert expected or table in {"retention", "ltv"}
    extra = [("not true", row) for row in list((seen - expected).elements())[:3]]
    return extra + [("missing", row) for row in list((expected - seen).elements())[:3]]


def tiers(project: Project) -> set[tuple[Any, ...]]:
    """(day, user, tier) of everybody who was active or had ever paid."""
    sql = """
        WITH known AS (
          SELECT active_date AS day, user_id FROM l2m.gold.active
          UNION
          SELECT ds, user_id FROM l2m.gold.cum_rev
        )
        SELECT DISTINCT known.day, known.user_id, coalesce(revenue.user_group, 'Free')
        FROM known
        LEFT JOIN l2m.gold.cum_rev AS revenue ON revenue.ds = known.day AND revenue.user_id = known.user_id
        """
    return set(rows(project, sql))


def true_tiers(source: Path) -> set[tuple[Any, ...]]:
    """The same as the truth tells it."""
    return {tuple(row.values()) for row in pq.read_table(source / "truth" / "tiers.parquet").to_pylist()}


def verdicts(project: Project, source: Path) -> tuple[float, float]:
    """Precision and recall of the last day's farmers among those who were lately active."""
    truth = pq.read_table(source / "truth" / "farmers.parquet").to_pylist()
    day = max(row["snapshot_date"] for row in truth)
    bots = {row["user_id"] for row in truth if row["snapshot_date"] == day and row["is_bot"]}
    flagged = {
        user
        for (user,) in rows(
            project, f"SELECT user_id FROM l2m.gold.farmers_snapshot WHERE snapshot_date = DATE '{day}'"
        )
    }
    hit = len(bots & flagged)
    return hit / len(flagged), hit / len(bots)


def opened(root: Path) -> Project:
    """The project; close it after use."""
    return open_project(root)
