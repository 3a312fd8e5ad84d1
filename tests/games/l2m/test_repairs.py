"""Thirty days of cumulative revenue: late events, a rate that was missing, an old day built again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from games.l2m.l2m_project import create, differences, opened, simulate

if TYPE_CHECKING:
    from pathlib import Path

REVENUE = "l2m.gold.cum_rev"


def arrive(source: Path, there: Path, first: int, last: int) -> None:
    """Copy the days of arrival from one to another, counted from 0, and what is true now."""
    for table in source.iterdir():
        slices = sorted(table.glob("ds=*"))
        for folder in slices[first:last]:
            shutil.copytree(folder, there / table.name / folder.name)
        if not slices and table.name != "truth":
            shutil.copytree(table, there / table.name, dirs_exist_ok=True)


def add_rate(source: Path, there: Path) -> None:
    """Write the rate that the mapping lacks."""
    file = next((there / "etl_currency_mapping").glob("*.parquet"))
    known = pq.read_table(file)
    lacking = pq.read_table(source / "truth" / "missing_rates.parquet").select(known.column_names)
    pq.write_table(pa.concat_tables([known, lacking.cast(known.schema)]), file)


def test_revenue_is_the_truth_after_every_repair(tmp_path) -> None:
    source = simulate(tmp_path / "source", seed=6, users=70, days=30, missing_rate=True)
    (lacking,) = pq.read_table(source / "truth" / "missing_rates.parquet").to_pylist()
    there = tmp_path / "arrived"
    arrive(source, there, 0, 20)
    with opened(create(tmp_path / "project", there)) as project:
        early = run_now(project, RunRequest((REVENUE,)))
        found = [row for row in project.ledger.checks() if row.name == "missing rate" and not row.passed]
        told = [(each["currency"], each["month"]) for row in found for each in row.sample]

        assert "missing rate" in str(early.error)
        assert set(told) == {(lacking["currency"], lacking["ym"])}

        arrive(source, there, 20, 30)
        add_rate(source, there)
        repaired = run_now(project, RunRequest((REVENUE,)))
        assert repaired.error is None, repaired.error
        assert differences(project, source, "cum_rev") == []

        old = (Slice.of(ds="2026-02-25"),)
        again = run_now(project, RunRequest(("l2m.bronze.recharge", REVENUE), slices=old, force=True))
        assert again.error is None, again.error
        assert differences(project, source, "cum_rev") == []
        assert run_now(project, RunRequest((REVENUE,))).built == 0
