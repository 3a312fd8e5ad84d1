"""The exported definitions in a real Dagster."""

from __future__ import annotations

import json

import pytest

from other_tools import Tool

pytestmark = pytest.mark.integrations


@pytest.fixture(scope="module")
def told(line, gamelake, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("dagster")
    line.ok("export", "dagster", "--out", folder / "out")
    return Tool("dagster", folder, gamelake)("look_dagster.py")


def test_datasets_are_assets_with_the_edges_of_the_graph(told) -> None:
    assert told["edges"] == {
        "ours/gold/a": ["ours/silver/clean"],
        "ours/gold/latest": ["ours/gold/latest__delta"],
        "ours/gold/latest__delta": ["ours/silver/clean"],
        "ours/gold/total": ["ours/gold/total", "ours/silver/clean"],  # its own day before
        "ours/gold/window": ["ours/silver/clean"],
        "ours/silver/clean": ["toy/bronze/scores"],
        "toy/bronze/scores": [],
        "toy/gold/best": ["toy/bronze/scores"],
        "toy/gold/ladder": ["toy/gold/best"],
    }
    assert told["edges"].keys() - set(told["by_day"]) == {"ours/gold/latest", "toy/gold/ladder"}


def test_a_partition_is_built_and_tells_its_rows(told, line) -> None:
    assert told["success"]
    assert told["rows"] == dict.fromkeys(told["edges"].keys() - {"toy/bronze/scores"}, 2)
    slices = json.loads(line.ok("status", "ours.gold.total", "--json"))["slices"]
    assert [each["slice"] for each in slices] == ["day=2026-01-02"]


def test_schedules_ask_for_the_day_before(told) -> None:
    zone = "Asia/Ho_Chi_Minh"
    assert told["due"] == {
        "project_nightly_schedule": {"cron": "30 2 * * *", "zone": zone, "partitions": ["2026-01-02"]},
        "project_often_schedule": {"cron": "0 */6 * * *", "zone": zone, "partitions": ["2026-01-02"]},
    }
