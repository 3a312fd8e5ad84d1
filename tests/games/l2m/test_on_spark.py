"""Every layout of the pack on Spark: the rows that DuckDB makes, to the last digit of money."""

from __future__ import annotations

from collections import Counter

import pytest

from gamelake.jobs.local import run_now
from gamelake.model.steps import SqlStep
from gamelake.pipeline.execute import RunRequest
from games.l2m.l2m_project import create, differences, opened, rows, simulate


@pytest.fixture(scope="module")
def both(spark_options, tmp_path_factory):
    """The same source built by each engine."""
    folder = tmp_path_factory.mktemp("both")
    source = simulate(folder / "source", seed=4, users=60, days=2)
    found = {}
    for engine in ("duckdb", "spark"):
        with opened(create(folder / engine, source)) as project:
            result = run_now(project, RunRequest(("l2m",), engine=engine))
            assert result.error is None, result.error
            layouts = [name for name, step in project.graph.steps.items() if isinstance(step, SqlStep)]
            found[engine] = {name: Counter(rows(project, f"SELECT * FROM {name}")) for name in layouts}
            found[engine]["wrong"] = differences(project, source, "server_performance")
    return found


@pytest.mark.chaos  # minutes: forty layouts, each a job of Spark
def test_both_engines_make_the_same_rows(both) -> None:
    different = [name for name, made in both["duckdb"].items() if made != both["spark"][name]]

    assert different == []
    assert both["spark"]["wrong"] == []
    assert (
        sum(map(bool, both["spark"].values())) >= 28
    )  # what two days of few users leave empty is empty in both
