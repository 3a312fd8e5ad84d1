"""The pack's layouts on Spark: the same rows as on DuckDB, also after a kill in the middle."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from pathlib import Path

import pytest

from gamelake import failpoints
from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.stores.maintenance import remove_orphans
from games.wow.raid_logs import GOLD, gold_of_logs, raid_project, second_recorder, simulated, write
from lake_world import finish, start, wait_until

GOLD_TARGETS = tuple(f"wow.gold.{name}" for name in GOLD)


@cache
def season() -> bytes:
    return simulated(seed=5, nights=2, pulls=2, players=8)


@pytest.fixture(scope="module")
def raids(spark_options, tmp_path_factory):
    """Silver built by DuckDB, then gold by Spark."""
    folder = tmp_path_factory.mktemp("raids")
    first, second = write(folder, "a.txt", season()), write(folder, "b.txt", second_recorder(season()))
    with raid_project(folder) as raids:
        raids.take(first, second)
        raids.expected = gold_of_logs(first, second)
        assert run_now(raids.project, RunRequest(("silver",))).state.value == "succeeded"
        raids.result = run_now(raids.project, RunRequest(GOLD_TARGETS, engine="spark"))
        yield raids


def test_every_layout_gives_the_rows_of_duckdb(raids) -> None:
    assert raids.result.state.value == "succeeded", raids.result.error

    found = raids.gold()

    for table in GOLD:
        assert found[table] == raids.expected[table], table
        assert found[table] or table == "fact_deaths"


def test_the_engine_is_recorded_with_each_task_and_makes_nothing_stale(raids) -> None:
    tasks = raids.project.ledger.tasks(raids.result.run_id)

    assert {task.detail["engine"] for task in tasks} == {"spark"}
    again = run_now(raids.project, RunRequest(("wow",), engine="duckdb"))
    assert sum(len(step.built) for step in again.steps) == 0


def test_python_steps_stay_on_duckdb(raids) -> None:
    result = run_now(raids.project, RunRequest(("wow.silver.events",), force=True, engine="spark"))
    tasks = raids.project.ledger.tasks(result.run_id)

    assert tasks
    assert {task.detail["engine"] for task in tasks} == {"duckdb"}


def refine_on_spark_and_die(folder: str, failpoint: str) -> None:
    """Child: build gold on Spark, and be killed on the way."""
    with raid_project(Path(folder)) as raids:
        os.environ[failpoints.VARIABLE] = failpoint
        run_now(raids.project, RunRequest(GOLD_TARGETS, engine="spark"))


@pytest.fixture
def silver(spark_options, tmp_path) -> Path:
    """Folder of a project whose gold is missing."""
    log = write(tmp_path, "log.txt", season())
    with raid_project(tmp_path) as raids:
        raids.take(log)
        run_now(raids.project, RunRequest(("silver",)))
    return tmp_path


def check_goes_on(folder: Path) -> None:
    """The next run ends with the right rows; maintenance removes what the dead one was writing, and no more."""
    with raid_project(folder) as raids:
        result = run_now(raids.project, RunRequest(GOLD_TARGETS, engine="spark"))

        assert result.state.value == "succeeded", result.error
        project = raids.project
        remove_orphans(
            project.lake, project.ledger, grace=0, keep_versions=5, clock=project.clock, owner="test"
        )
        assert [file for part in unfinished(folder) for file in part.rglob("*")] == []
        assert raids.gold() == gold_of_logs(folder / "log.txt")


def unfinished(folder: Path) -> list[Path]:
    """Folders that Spark is writing to."""
    return [path for path in folder.rglob(".*.spark") if path.is_dir()]


@pytest.mark.chaos  # a minute: a second Spark starts in the process that is killed
def test_a_run_killed_in_the_middle_goes_on(silver) -> None:
    child = start(refine_on_spark_and_die, str(silver), "publish.after_stage:4")
    assert finish(child, 180) == -9

    check_goes_on(silver)


@pytest.mark.chaos
@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2])
def test_a_run_killed_while_spark_writes_goes_on(silver, moment) -> None:
    never = ""
    child = start(refine_on_spark_and_die, str(silver), never)
    wait_until(lambda: unfinished(silver), 180)
    time.sleep(moment)
    child.kill()
    assert finish(child) == -9

    check_goes_on(silver)


def test_a_layout_that_is_not_portable_names_its_line(tmp_path) -> None:
    folder = tmp_path / "layouts" / "own" / "gold"
    folder.mkdir(parents=True)
    (folder / "odd.sql").write_text(
        "/* ---\ndescription: Not portable\ninputSources:\n  - {name: raids, dataset: wow.gold.dim_raid}\n"
        "outputs:\n  - grain: [raid_id]\n    on_empty: clear\n    schema: {raid_id: text, h: text}\n--- */\n"
        "SELECT\n  raid_id,\n  CAST(hash(team) AS VARCHAR) AS h\nFROM raids\n"
    )
    with raid_project(tmp_path) as raids:
        raids.add(write(tmp_path, "log.txt", season()))
        result = run_now(raids.project, RunRequest(("own.gold.odd",), force=True, engine="spark"))

    assert isinstance(result.error, LayoutError)
    assert str(result.error).startswith(str(folder / "odd.sql") + ":12: `hash()` is not portable to Spark")
    assert json.dumps(str(result.error))
