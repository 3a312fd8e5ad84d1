"""What `run` builds, what it leaves alone, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from gamelake.errors import (
    CancelledRunError,
    CheckFailedError,
    LayoutError,
    NotFoundError,
    OperatorError,
    UserError,
)
from gamelake.jobs.local import run_now
from gamelake.model.runs import RunState
from gamelake.model.slices import Slice
from gamelake.model.steps import SqlStep
from gamelake.pipeline.assess import chosen
from gamelake.pipeline.events import Cancel
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import PlanState, plan
from sample_project import DAILY, PLAYERS, contents, import_scores, members, open_sample, some_rows

if TYPE_CHECKING:
    from pathlib import Path

    from gamelake.pipeline.project import Project

SECOND = Slice.of(day="2026-01-02")


def run(project: Project, *targets: str, **more):
    return run_now(project, RunRequest(targets, **more))


def states(project: Project) -> dict[tuple[str, str], PlanState]:
    return {(item.step, str(item.slice)): item.state for item in plan(project).items}


def reasons(project: Project) -> dict[tuple[str, str], str]:
    return {(item.step, str(item.slice)): item.reason for item in plan(project).items if item.is_work}


def versions(project: Project) -> dict[tuple[str, str], int]:
    return {
        (name, str(part)): found.version
        for name in project.graph.outputs
        for part, found in project.ledger.current(name).items()
    }


def edit(project: Project, name: str, text: str) -> Project:
    """The project as it is opened after a layout was changed."""
    (project.root / "layouts" / "gold" / f"{name}.sql").write_text(text)
    return open_sample(project.root)


def test_an_empty_project_has_nothing_to_do(project) -> None:
    result = run(project)

    assert plan(project).items == ()
    assert result.state is RunState.SUCCEEDED
    assert result.built == 0


def test_a_first_run_builds_everything_in_order(built) -> None:
    rows = contents(built)

    assert len(rows["toy.gold.daily"]) == 33
    assert rows["toy.gold.players"][0] == ("p0", 3, 121)
    assert set(states(built).values()) == {PlanState.FRESH}


def test_a_second_run_does_nothing(built) -> None:
    before = versions(built)

    result = run(built)

    assert result.built == 0
    assert result.state is RunState.SUCCEEDED
    assert versions(built) == before


def test_importing_the_same_rows_again_changes_nothing(built) -> None:
    before = versions(built)

    import_scores(built, "2026-01-02", list(reversed(some_rows(2))))

    assert versions(built) == before
    assert plan(built).work == ()


def test_a_changed_slice_makes_stale_what_reads_it_and_nothing_else(built) -> None:
    import_scores(built, "2026-01-02", some_rows(9))

    assert reasons(built) == {
        ("clean", "day=2026-01-02"): "input toy.bronze.scores day=2026-01-02/part=a version 1 → 2"
    }
    assert states(built)["toy.gold.daily", "day=2026-01-01"] is PlanState.FRESH
    assert states(built)["toy.gold.daily", "day=2026-01-02"] is PlanState.DEPENDS
    assert states(built)["toy.gold.players", "all"] is PlanState.DEPENDS


def test_a_repair_reaches_everything_that_depends_on_it(built) -> None:
    import_scores(built, "2026-01-02", some_rows(9))

    run(built)

    found = versions(built)
    assert found["toy.gold.daily", "day=2026-01-02"] == 2
    assert found["toy.gold.daily", "day=2026-01-01"] == 1
    assert found["toy.gold.players", "all"] == 2


def test_a_rebuilt_slice_with_equal_rows_leaves_its_readers_fresh(built) -> None:
    rows = [*some_rows(2), ("nobody", None)]  # a row without a score never reaches silver
    import_scores(built, "2026-01-02", rows)

    run(built)

    found = versions(built)
    assert found["toy.silver.clean", "day=2026-01-02"] == 2
    assert found["toy.gold.daily", "day=2026-01-02"] == 1
    assert found["toy.gold.players", "all"] == 1
    assert plan(built).work == ()


def test_a_new_slice_is_found_through_its_inputs(built) -> None:
    import_scores(built, "2026-01-04", some_rows(4))

    items = {(i.step, str(i.slice)): i.reason for i in plan(built).items if i.state is PlanState.MISSING}

    assert items == {
        ("clean", "day=2026-01-04"): "never built",
        ("toy.gold.daily", "day=2026-01-04"): "after clean",
    }


def test_a_new_part_of_a_day_makes_the_day_stale(built) -> None:
    import_scores(built, "2026-01-02", some_rows(5), part="b")

    assert reasons(built)["clean", "day=2026-01-02"] == (
        "input toy.bronze.scores day=2026-01-02/part=b is new"
    )


def test_changed_sql_makes_all_its_slices_stale(built) -> None:
    with edit(built, "daily", DAILY.replace("count(*) AS games", "count(*) + 1 AS games")) as changed:
        found = reasons(changed)
        result = run(changed)

    assert found == {("toy.gold.daily", f"day=2026-01-0{day}"): "SQL changed" for day in (1, 2, 3)}
    assert [len(step.built) for step in result.steps] == [0, 3, 1]


def test_comments_spacing_and_letter_case_are_no_change(built) -> None:
    sql = DAILY.replace("SELECT day, player", "-- one row each\nselect  day,\n  player")
    with edit(built, "daily", sql) as changed:
        assert plan(changed).work == ()


def test_a_changed_schema_is_told_as_such(built) -> None:
    with edit(built, "players", PLAYERS.replace("best: bigint not null", "best: bigint")) as changed:
        found = reasons(changed)

    assert found == {("toy.gold.players", "all"): "schema changed"}


def test_a_new_step_version_is_told_as_such(built) -> None:
    (built.root / "clean.version").write_text("2")
    with open_sample(built.root) as changed:
        assert set(reasons(changed).values()) == {"step version changed"}


def test_force_rebuilds_the_target_and_nothing_upstream(built) -> None:
    result = run(built, "toy.gold.daily", force=True)

    assert {step.step: len(step.built) for step in result.steps} == {"clean": 0, "toy.gold.daily": 3}


def test_only_slices_asked_for_are_built(project) -> None:
    for day in (1, 2):
        import_scores(project, f"2026-01-0{day}", some_rows(day))

    result = run(project, "daily", slices=(SECOND,))

    assert [str(part) for step in result.steps for part in step.built] == ["day=2026-01-02"] * 2


def test_an_unknown_target_is_explained_and_makes_no_run(built) -> None:
    before = len(built.ledger.runs())

    with pytest.raises(NotFoundError, match=r"no step or dataset is called `gold\.dayly`") as caught:
        run(built, "gold.dayly")

    assert caught.value.hint == "did you mean `toy.gold.daily`?"
    assert len(built.ledger.runs()) == before


def test_a_failing_check_keeps_the_old_rows_and_stops_only_what_depends_on_them(built) -> None:
    before = contents(built)
    import_scores(built, "2026-01-02", [("p1", -5), ("p2", 7)])
    import_scores(built, "2026-01-03", some_rows(7))

    result = run(built)

    clean, daily, players = result.steps
    assert [str(failure.slice) for failure in clean.failed] == ["day=2026-01-02"]
    assert [str(part) for part in clean.built] == ["day=2026-01-03"]
    assert [str(part) for part in daily.built] == ["day=2026-01-03"]
    assert [str(part) for part in players.blocked] == ["all"]
    assert isinstance(result.error, CheckFailedError)
    assert (result.state, result.exit_code) == (RunState.FAILED, 1)
    assert str(result.error) == (
        "toy.silver.clean day=2026-01-02: check `scores are positive` found 1, expected 0\n\n"
        "hint: the old rows stay; failing rows are listed with the run's checks"
    )
    now = contents(built)
    for name in ("toy.silver.clean", "toy.gold.daily"):
        assert [r for r in now[name] if str(r[0]) == "2026-01-02"] == [
            r for r in before[name] if str(r[0]) == "2026-01-02"
        ]
    failed = [check for check in built.ledger.checks("toy.silver.clean") if not check.passed]
    assert failed[0].sample == ({"day": "2026-01-02", "player": "p1", "score": -5},)


def test_a_failed_slice_is_tried_again_by_the_next_run(built) -> None:
    import_scores(built, "2026-01-02", [("p1", -5)])
    run(built)
    import_scores(built, "2026-01-02", [("p1", 5)])

    result = run(built)

    assert result.state is RunState.SUCCEEDED
    assert ("p1", 5) in [row[1:3] for row in contents(built)["toy.gold.daily"]]


def test_a_warning_is_recorded_and_published(built) -> None:
    import_scores(built, "2026-01-02", [("p1", 2_000_000)])

    result = run(built)

    assert result.state is RunState.SUCCEEDED
    assert sum(step.checks_warned for step in result.steps) == 1


def test_a_snapshot_that_shrinks_too_far_keeps_its_old_rows(built) -> None:
    before = contents(built)["toy.gold.players"]
    for day in (1, 2, 3):
        import_scores(built, f"2026-01-0{day}", [("p1", 3)])

    result = run(built)

    assert result.error is not None
    assert result.error.problem == ("toy.gold.players all: check `not shrunk` found 1, expected at least 5")
    assert contents(built)["toy.gold.players"] == before


def test_a_stated_share_lets_a_snapshot_shrink(built) -> None:
    with edit(built, "players", PLAYERS.replace("- grain", "- allow_shrink: 0\n    grain")) as changed:
        for day in (1, 2, 3):
            import_scores(changed, f"2026-01-0{day}", [("p1", 3)])

        assert run(changed).error is None
        assert contents(changed)["toy.gold.players"] == [("p1", 3, 3)]


@pytest.mark.parametrize(
    ("on_empty", "problem", "left"),
    [("fail", "check `not empty` found 0, expected at least 1", 11), ("clear", None, 0), ("keep", None, 11)],
)
def test_a_slice_without_rows_does_what_on_empty_says(built, on_empty, problem, left) -> None:
    with edit(built, "daily", DAILY.replace("on_empty: clear", f"on_empty: {on_empty}")) as changed:
        import_scores(changed, "2026-01-02", [("p1", None)])

        result = run(changed)

        rows = [row for row in contents(changed)["toy.gold.daily"] if str(row[0]) == "2026-01-02"]
        assert len(rows) == left
        assert (result.error.problem if result.error else None) == (
            f"toy.gold.daily day=2026-01-02: {problem}" if problem else None
        )
        if not problem:
            assert plan(changed).work == ()


def test_sql_that_an_engine_refuses_fails_its_step_with_the_place(built) -> None:
    with edit(built, "daily", DAILY.replace("sum(score)", "sum(scoer)")) as changed:
        result = run(changed)

    assert isinstance(result.error, LayoutError)
    assert str(result.error.at).endswith("daily.sql:13")
    assert "scoer" in result.error.problem
    assert result.exit_code == 2
    assert [len(step.failed) for step in result.steps] == [0, 1, 0]


def test_a_value_that_does_not_fit_fails_its_slice_alone(built) -> None:
    sql = DAILY.replace("CAST(sum(score) AS BIGINT)", "CAST(max(player) AS BIGINT)")
    with edit(built, "daily", sql) as changed:
        import_scores(changed, "2026-01-04", [("77", 1)])

        result = run(changed, "daily")

    assert [str(part) for part in result.steps[1].built] == ["day=2026-01-04"]
    assert len(result.steps[1].failed) == 3


def test_a_python_step_that_raises_fails_only_the_guilty_slice(built, monkeypatch) -> None:
    import_scores(built, "2026-01-04", some_rows(4))
    import_scores(built, "2026-01-05", [("boom", 1)])
    original = built.graph.steps["clean"].run

    def explode(context) -> None:
        for part in context.slices:
            if "2026-01-05" in str(part):
                message = "no such spell"
                raise KeyError(message)
        original(context)

    object.__setattr__(built.graph.steps["clean"], "run", explode)
    result = run(built)

    assert isinstance(result.error, OperatorError)
    assert result.error.problem == "step `clean` raised KeyError: 'no such spell'"
    assert [str(part) for part in result.steps[0].built] == ["day=2026-01-04"]
    traces = [task.detail.get("traceback", "") for task in built.ledger.tasks(result.run_id)]
    assert any("no such spell" in trace for trace in traces)


def test_a_cancelled_run_keeps_what_it_published_and_the_next_one_ends_it(built) -> None:
    for day in (1, 2, 3):
        import_scores(built, f"2026-01-0{day}", some_rows(day + 20))
    cancel = Cancel()

    def stop_after_silver(progress) -> None:
        if progress.step == "toy.gold.daily":
            cancel.ask()

    result = run_now(built, RunRequest(), cancel=cancel, listener=stop_after_silver)

    assert (result.state, result.exit_code) == (RunState.CANCELLED, 130)
    assert isinstance(result.error, CancelledRunError)
    assert len(result.steps[0].built) == 3
    assert built.ledger.run(result.run_id).state is RunState.CANCELLED
    assert len(run(built).steps[1].built) == 3


def test_progress_reaches_the_listener_and_the_ledger(project) -> None:
    import_scores(project, "2026-01-01", some_rows(1))
    heard = []
    start = project.ledger.last_event()

    result = run_now(project, RunRequest(), listener=heard.append)

    kinds = [event.kind for event in project.ledger.events(start, run_id=result.run_id)]
    assert [p.kind for p in heard if p.step == "toy.gold.daily"] == [
        "step_started",
        "step_progress",
        "step_finished",
    ]
    assert kinds[0] == "run.queued"
    assert kinds[-1] == "run.succeeded"
    assert {"step.started", "step.finished", "task.succeeded", "slice.published"} <= set(kinds)


def test_the_result_is_one_json_object(built) -> None:
    import_scores(built, "2026-01-02", [("p1", -5)])

    found = run(built).to_json()

    assert found["state"] == "failed"
    assert found["error"]["code"] == "check_failed"
    assert found["steps"][0]["state"] == "failed"
    assert found["steps"][0]["failed"][0]["slice"] == "day=2026-01-02"
    assert found["steps"][2]["state"] == "fresh"


def test_the_plan_is_one_json_object(built) -> None:
    import_scores(built, "2026-01-02", some_rows(9))

    found = plan(built).to_json()

    assert found["counts"] == {"fresh": 4, "stale": 1, "depends": 2}
    assert found["items"][0] == {
        "step": "clean",
        "slice": "day=2026-01-02",
        "state": "stale",
        "reason": "input toy.bronze.scores day=2026-01-02/part=a version 1 → 2",
        "rows": 27,
    }


def test_layouts_are_read_without_parsing_sql_twice(built: Project, root: Path) -> None:
    with patch("gamelake.layouts.load.make_step", side_effect=AssertionError):
        again = {step.name: step for step in members(root) if isinstance(step, SqlStep)}

    assert again == {name: step for name, step in built.graph.steps.items() if isinstance(step, SqlStep)}


@pytest.mark.parametrize(
    ("text", "hint"), [("dya=2026-01-02", "did you mean `day`?"), ("team=a", None), ("day=1/part=a", None)]
)
def test_a_slice_column_that_no_step_has_is_refused_and_makes_no_run(built, text, hint) -> None:
    before = len(built.ledger.runs())
    wanted = (Slice.parse(text),)

    for ask in (lambda: run(built, slices=wanted), lambda: plan(built, slices=wanted)):
        with pytest.raises(UserError, match="no step to run has the slice column") as caught:
            ask()

        assert caught.value.problem.endswith("there are: `day`")
        assert caught.value.hint == hint
    assert len(built.ledger.runs()) == before


@pytest.mark.parametrize("day", ["2026-1-02", "20260102", "2026-02-30", "yesterday", ""])
def test_a_slice_value_of_another_form_is_refused(built, day) -> None:
    """No slice has it, so that a run would do nothing and call that a success."""
    with pytest.raises(UserError, match=f"`day` is date, and `{day}` is no value of it"):
        plan(built, slices=(Slice.of(day=day),))


def test_a_slice_is_not_meant_for_want_of_a_shared_column() -> None:
    wanted = Slice.of(team="a")

    assert not chosen(SECOND, [wanted])
    assert chosen(SECOND, [wanted, SECOND])
    assert chosen(Slice(), [wanted])  # a snapshot reads every slice
    assert chosen(SECOND, [Slice()])


def test_a_snapshot_without_rows_may_be_kept(built) -> None:
    text = PLAYERS.replace("- grain", "- on_empty: keep\n    grain")
    before = contents(built)["toy.gold.players"]
    with edit(built, "players", text) as changed:
        for day in (1, 2, 3):
            import_scores(changed, f"2026-01-0{day}", [("p1", None)])

        result = run(changed)

        assert result.error is None
        assert contents(changed)["toy.gold.daily"] == []
        assert contents(changed)["toy.gold.players"] == before
        assert plan(changed).work == ()


def slice_states(project: Project, dataset: str = "toy.silver.clean") -> list[str]:
    return [row.state.value for row in project.ledger.slice_states(dataset)]


def test_a_cancelled_rebuild_of_fresh_slices_leaves_them_published(built) -> None:
    first = built.ledger.runs()[0].id
    cancel = Cancel()

    def stop(context) -> None:
        cancel.ask()
        context.progress(1, 1)

    object.__setattr__(built.graph.steps["clean"], "run", stop)
    result = run_now(built, RunRequest(("clean",), force=True), cancel=cancel)

    assert result.state is RunState.CANCELLED
    assert slice_states(built) == ["published"] * 3
    assert {row.run_id for row in built.ledger.slice_states("toy.silver.clean")} == {first}
    assert plan(built).work == ()


@pytest.mark.parametrize("error", [KeyError, LayoutError])
def test_a_failed_rebuild_leaves_fresh_slices_published_and_marks_the_others(built, error) -> None:
    import_scores(built, "2026-01-02", some_rows(9))

    def fail(_context) -> None:
        raise error("no such spell")

    object.__setattr__(built.graph.steps["clean"], "run", fail)
    result = run(built, "clean", force=True)

    assert result.state is RunState.FAILED
    assert slice_states(built) == ["published", "failed", "published"]


def test_a_cancel_between_the_tries_of_a_batch_leaves_no_slice_at_work(built) -> None:
    cancel = Cancel()
    for day in (1, 2, 3):
        import_scores(built, f"2026-01-0{day}", some_rows(day + 20))

    def fail(context) -> None:
        if len(context.slices) == 1:
            cancel.ask()
        message = "no such spell"
        raise KeyError(message)

    object.__setattr__(built.graph.steps["clean"], "run", fail)
    result = run_now(built, RunRequest(("clean",)), cancel=cancel)

    assert result.state is RunState.CANCELLED
    assert slice_states(built) == ["failed"] * 3
