"""A run killed anywhere resumes to what an undisturbed run gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gamelake import failpoints
from gamelake.jobs.local import run_now
from gamelake.model.runs import RunState
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from lake_world import finish, start
from sample_project import contents, import_scores, open_sample, some_rows

NAMES = sorted(
    name for name in failpoints.ALL if not name.startswith(("maintenance.", "target.", "schedules."))
)


def import_night(project) -> None:
    import_scores(project, "2026-01-02", some_rows(9))
    import_scores(project, "2026-01-04", some_rows(4))


def run_and_die(root: str, failpoint: str) -> None:
    """Child: import and run, and be killed at the failpoint."""
    with open_sample(Path(root)) as project:
        os.environ[failpoints.VARIABLE] = failpoint
        import_night(project)
        run_now(project, RunRequest())


@pytest.fixture
def undisturbed(tmp_path_factory, built) -> dict:
    """What everything looks like when nobody is killed; computed once."""
    return EXPECTED or EXPECTED.update(_undisturbed(tmp_path_factory.mktemp("calm"))) or EXPECTED


EXPECTED: dict = {}


def _undisturbed(folder: Path) -> dict:
    from sample_project import create

    with open_sample(create(folder / "toy")) as project:
        for day in (1, 2, 3):
            import_scores(project, f"2026-01-0{day}", some_rows(day))
        import_night(project)
        assert run_now(project, RunRequest()).error is None
        return contents(project)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_killed_at_a_failpoint_resumes_to_the_same_result(built, undisturbed, name) -> None:
    built.close()
    child = start(run_and_die, str(built.root), f"{name}:{27 if name == 'ledger.before_commit' else 3}")
    assert finish(child) == -9

    with open_sample(built.root) as project:
        import_night(project)  # what a person does whose import was killed
        result = run_now(project, RunRequest())

        assert result.error is None
        assert contents(project) == undisturbed
        assert plan(project).work == ()
        ended = [row.state for row in project.ledger.runs()]
        assert RunState.RUNNING not in ended
        for dataset in project.graph.outputs:  # ledger and lake tell the same story
            lake = {part: (p.version, p.rows) for part, p in project.lake.current(dataset).items()}
            known = {part: (v.version, v.rows) for part, v in project.ledger.current(dataset).items()}
            assert lake == known


def test_a_killed_runs_commit_is_recorded_by_the_next_run_without_building_again(built) -> None:
    import_scores(built, "2026-01-02", some_rows(9))
    built.close()
    child = start(only_run_and_die, str(built.root), "publish.after_commit")
    assert finish(child) == -9

    with open_sample(built.root) as project:
        result = run_now(project, RunRequest())

    assert result.recovered == 1
    states = {row.state for row in project.ledger.runs()}
    assert RunState.INTERRUPTED in states


def only_run_and_die(root: str, failpoint: str) -> None:
    """Child: run, and be killed at the failpoint."""
    with open_sample(Path(root)) as project:
        os.environ[failpoints.VARIABLE] = failpoint
        run_now(project, RunRequest())
