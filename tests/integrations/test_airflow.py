"""The exported DAG file in a real Airflow."""

from __future__ import annotations

import json

import pytest

from other_tools import Tool

pytestmark = pytest.mark.integrations


@pytest.fixture(scope="module")
def told(line, gamelake, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("airflow")
    line.ok("export", "airflow", "--out", folder / "out")
    return Tool("airflow", folder, gamelake)("look_airflow.py")


def test_each_schedule_is_a_dag_with_the_edges_of_the_graph(told) -> None:
    nightly, often = told["dags"]["project_nightly"], told["dags"]["project_often"]

    assert (nightly["schedule"], often["schedule"]) == (
        "CronDataIntervalTimetable",
        "DeltaDataIntervalTimetable",
    )
    assert nightly["edges"] == {
        "ours.gold.a": ["ours.silver.clean"],
        "ours.gold.latest": ["ours.gold.latest__delta"],
        "ours.gold.latest__delta": ["ours.silver.clean"],
        "ours.gold.total": ["ours.silver.clean"],
        "ours.gold.window": ["ours.silver.clean"],
        "ours.silver.clean": [],
        "toy.gold.best": [],
        "toy.gold.ladder": ["toy.gold.best"],
    }
    assert often["edges"].keys() == {"ours.silver.clean", "ours.gold.latest", "ours.gold.latest__delta"}
    assert (nightly["retries"], nightly["catchup"]) == ([0], False)


def test_a_run_builds_the_day_of_its_interval_and_no_other(told, line) -> None:
    assert told["run"] == "success"
    assert set(told["tasks"].values()) == {"success"}
    for dataset in ("ours.silver.clean", "ours.gold.a", "ours.gold.total", "ours.gold.latest__delta"):
        slices = json.loads(line.ok("status", dataset, "--json"))["slices"]
        assert [each["slice"] for each in slices] == ["day=2026-01-02"], dataset
    rows = json.loads(line.ok("query", "SELECT * FROM toy.gold.ladder ORDER BY ALL", "--format", "json"))[
        "rows"
    ]
    assert [(row["player"], row["best"], row["days"]) for row in rows] == [("ann", 2, 1), ("bob", 4, 1)]
