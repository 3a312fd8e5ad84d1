"""Runs in this process and in others: states, cancelling, signals, dead workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from gamelake.errors import ConflictError, LayoutError, StoreError, UserError
from gamelake.jobs import worker
from gamelake.jobs.base import retry
from gamelake.jobs.local import LocalExecutor, run_now, start_detached
from gamelake.model.runs import RunState
from gamelake.pipeline.execute import RunRequest
from lake_world import finish, start, wait_until
from sample_project import contents, create, import_scores, open_sample, some_rows


@pytest.fixture
def project(tmp_path: Path):
    with open_sample(create(tmp_path / "toy")) as opened:
        import_scores(opened, "2026-01-01", some_rows(1))
        yield opened


def slow_step(context) -> None:
    """Take for ever, unless somebody cancels."""
    for n in range(2_000):
        context.progress(n, 2_000)
        time.sleep(0.01)


def run_slowly(root: str) -> None:
    """Child: a run whose first step takes for ever."""
    with open_sample(Path(root)) as project:
        object.__setattr__(project.graph.steps["clean"], "run", slow_step)
        raise SystemExit(run_now(project, RunRequest()).exit_code)


def is_at_work(project) -> bool:
    return any(event.kind == "step.progress" for event in project.ledger.events(limit=10_000))


def test_a_run_goes_from_queued_to_succeeded(project) -> None:
    result = run_now(project, RunRequest(("toy.gold.daily",)))

    row = project.ledger.run(result.run_id)
    assert (row.kind, row.title, row.state) == ("run", "run toy.gold.daily", RunState.SUCCEEDED)
    assert row.request == {"targets": ["toy.gold.daily"], "slices": None, "force": False}
    assert RunRequest.from_json(row.request) == RunRequest(("toy.gold.daily",))


def test_tasks_tell_what_was_done_and_by_which_sql(project) -> None:
    result = run_now(project, RunRequest())

    clean, daily, players = project.ledger.tasks(result.run_id)
    assert (clean.step, clean.state, clean.rows, clean.sql) == ("clean", "succeeded", 27, None)
    assert (daily.state, daily.slices) == ("succeeded", ("day=2026-01-01",))
    assert "DATE '2026-01-01'" in (daily.sql or "")
    assert players.slices == ("all",)


def test_a_detached_run_is_done_by_another_process(project) -> None:
    run_id = LocalExecutor().submit(project, RunRequest())

    wait_until(lambda: project.ledger.run(run_id).state.ended, 60)
    assert project.ledger.run(run_id).state is RunState.SUCCEEDED
    assert len(contents(project)["toy.gold.daily"]) == 11
    wait_until(lambda: not any(thread.name == f"reaper {run_id}" for thread in threads()))


def threads():
    import threading

    return threading.enumerate()


def test_a_detached_run_of_an_unknown_target_is_refused_at_once(project) -> None:
    with pytest.raises(UserError, match="no step or dataset is called `nope`"):
        start_detached(project, RunRequest(("nope",)))


def test_a_worker_whose_project_does_not_open_fails_its_run(project) -> None:
    run_id = project.ledger.create_run("run", "doomed", RunRequest().to_json())
    (project.root / "layouts" / "gold" / "daily.sql").write_text("SELECT 1")

    with pytest.raises(LayoutError):
        worker.main(
            ["--project", str(project.root), "--run", run_id, "--opener", "sample_project:open_sample"]
        )

    assert project.ledger.run(run_id).state is RunState.FAILED
    assert "no front matter" in (project.ledger.run(run_id).error or {})["problem"]


def test_a_run_that_has_ended_is_not_run_again(project) -> None:
    run_id = run_now(project, RunRequest()).run_id

    with pytest.raises(ConflictError):
        run_now(project, RunRequest(), run_id=run_id)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_a_run_cleanly(project, number) -> None:
    child = start(run_slowly, str(project.root))
    wait_until(lambda: is_at_work(project))

    os.kill(child.pid, number)

    assert finish(child) == 130
    assert project.ledger.runs()[0].state is RunState.CANCELLED


def test_another_process_may_ask_a_run_to_stop(project) -> None:
    child = start(run_slowly, str(project.root))
    wait_until(lambda: is_at_work(project))

    project.ledger.request_cancel(project.ledger.runs()[0].id)

    assert finish(child) == 130
    assert project.ledger.runs()[0].state is RunState.CANCELLED


def test_a_killed_run_is_marked_and_its_work_done_by_the_next(project) -> None:
    child = start(run_slowly, str(project.root))
    wait_until(lambda: is_at_work(project))
    os.kill(child.pid, signal.SIGKILL)
    finish(child)

    result = run_now(project, RunRequest())

    states = [row.state for row in project.ledger.runs()]
    assert states[:2] == [RunState.SUCCEEDED, RunState.INTERRUPTED]
    assert result.built == 3


def test_retry_waits_longer_each_time_and_gives_up() -> None:
    pauses: list[float] = []
    tries = []

    def fail() -> None:
        tries.append(1)
        message = "busy"
        raise StoreError(message)

    with pytest.raises(StoreError):
        retry(fail, tries=3, pause=1.0, sleep=pauses.append)

    assert len(tries) == 3
    assert 1.0 <= pauses[0] <= 2.0 <= pauses[1] <= 3.0


def test_retry_does_not_repeat_what_cannot_get_better() -> None:
    def fail() -> None:
        message = "no"
        raise UserError(message)

    with pytest.raises(UserError):
        retry(fail, sleep=lambda _: pytest.fail("waited"))


def test_a_worker_needs_no_settings_to_fail_its_run(project) -> None:
    run_id = project.ledger.create_run("run", "doomed", RunRequest().to_json())
    (project.root / "gamelake.toml").write_text("name = toy\n")

    with pytest.raises(LayoutError):
        worker.main(
            ["--project", str(project.root), "--run", run_id, "--opener", "sample_project:open_sample"]
        )

    assert project.ledger.run(run_id).state is RunState.FAILED


def test_a_worker_that_cannot_use_the_request_fails_its_run(project, capsys) -> None:
    run_id = project.ledger.create_run("run", "doomed", RunRequest(("nope",)).to_json())
    arguments = ["--project", str(project.root), "--run", run_id, "--opener", "sample_project:open_sample"]

    assert worker.main(arguments) == 2

    assert project.ledger.run(run_id).state is RunState.FAILED
    assert "no step or dataset is called `nope`" in capsys.readouterr().err


def test_a_worker_leaves_a_run_alone_that_is_not_its_to_start(project) -> None:
    run_id = project.ledger.create_run("run", "taken", RunRequest().to_json())
    project.ledger.move_run(run_id, RunState.RUNNING)

    assert (
        worker.main(
            ["--project", str(project.root), "--run", run_id, "--opener", "sample_project:open_sample"]
        )
        == 2
    )

    assert project.ledger.run(run_id).state is RunState.RUNNING


def test_a_child_that_dies_before_it_starts_fails_its_run(project, monkeypatch) -> None:
    monkeypatch.setattr("gamelake.jobs.local.sys.executable", "/bin/false")

    run_id = start_detached(project, RunRequest())

    wait_until(lambda: project.ledger.interrupt_dead_runs() == [run_id])
    row = project.ledger.run(run_id)
    assert row.state is RunState.FAILED
    assert row.error == {
        "code": "not_started",
        "problem": "the process of this run died before it started",
    }
