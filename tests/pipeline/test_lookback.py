"""Inputs that span several days, and inputs that need not be there."""

from __future__ import annotations

import pytest

from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import PlanState, plan
from modes_project import DAILY, WINDOW, create, five_days, import_days, open_modes, tables, twin, write

STRICT = WINDOW.replace("lookback: 2, on_missing: empty", "lookback: 2")


@pytest.fixture
def root(tmp_path):
    return create(tmp_path / "toy", {"silver/daily": DAILY, "gold/window": WINDOW})


def reasons(project, step: str) -> dict[str, tuple[str, str]]:
    return {str(i.slice): (i.state.value, i.reason) for i in plan(project).items if i.step == step}


def test_a_window_holds_the_rows_of_all_its_days(root) -> None:
    with open_modes(root) as project:
        import_days(project, five_days())

        assert run_now(project, RunRequest()).error is None
        assert tables(project)["window"] == twin(five_days())["window"]


def test_a_late_change_of_a_day_reopens_the_days_that_read_it_and_no_other(root) -> None:
    days = five_days()
    with open_modes(root) as project:
        import_days(project, days)
        run_now(project, RunRequest())
        days["2026-01-02"] = [("p0", 1, None)]
        import_days(project, {"2026-01-02": days["2026-01-02"]})
        planned = reasons(project, "toy.gold.window")
        result = run_now(project, RunRequest())

        assert [s for s, (state, _) in planned.items() if state == "depends"] == [
            "day=2026-01-02",
            "day=2026-01-03",
            "day=2026-01-04",
        ]
        built = next(step.built for step in result.steps if step.step == "toy.gold.window")
        assert len(built) == 3
        assert tables(project)["window"] == twin(days)["window"]
        assert plan(project).work == ()


def test_a_hole_in_the_window_is_waited_for_and_named(root) -> None:
    write(root, "gold/window", STRICT)
    days = five_days()
    late = days.pop("2026-01-03")
    with open_modes(root) as project:
        import_days(project, days)
        result = run_now(project, RunRequest())
        planned = reasons(project, "toy.gold.window")

        hole = "input toy.silver.daily day=2026-01-03 was never published"
        assert planned["day=2026-01-04"] == ("waiting", hole)
        assert planned["day=2026-01-02"] == ("fresh", "")  # what is before the first day is no hole
        told = next(step for step in result.to_json()["steps"] if step["step"] == "toy.gold.window")
        assert told["waiting"] == ["day=2026-01-04", "day=2026-01-05"]
        import_days(project, {"2026-01-03": late})
        coming = reasons(project, "toy.gold.window")
        assert coming["day=2026-01-05"] == ("missing", "after toy.silver.daily")
        run_now(project, RunRequest())

        assert tables(project)["window"] == twin(five_days())["window"]


def test_an_input_that_is_not_required_is_an_empty_typed_view(root) -> None:
    text = WINDOW.replace(
        "[{name: daily, dataset: toy.silver.daily, lookback: 2, on_missing: empty}]",
        "[{name: daily, dataset: toy.bronze.raw}, {name: other, dataset: toy.silver.daily, required: false}]",
    ).replace("FROM daily GROUP BY", "FROM daily LEFT JOIN other USING (day, player, score) GROUP BY")
    write(root, "gold/window", text)
    with open_modes(root) as project:
        import_days(project, five_days())
        result = run_now(project, RunRequest(("toy.gold.window",)))

        assert result.error is None
        assert {item.state for item in plan(project).items} == {PlanState.FRESH}


def test_looking_back_without_a_date_to_look_along_is_refused(root) -> None:
    text = WINDOW.replace("  - slice: [day]\n", "  - mode: snapshot_replace\n").replace(
        "{{ day | day }}", "DATE '2026-01-01'"
    )
    write(root, "gold/window", text)

    with pytest.raises(LayoutError, match=r"looks back along `toy.silver.daily`") as caught, open_modes(root):
        pass

    assert caught.value.at is not None
    assert caught.value.at.line == 3


def test_what_reads_a_failed_day_waits_with_it(root) -> None:
    write(
        root,
        "silver/daily",
        DAILY.replace("--- */", "checks: [{kind: range, column: score, max: 500}]\n--- */"),
    )
    days = five_days()
    with open_modes(root) as project:
        import_days(project, days)
        assert run_now(project, RunRequest()).error is None
        import_days(project, {d: [("p0", 1, None)] for d in days} | {"2026-01-02": [("p0", 501, None)]})
        result = run_now(project, RunRequest())

        step = next(step for step in result.steps if step.step == "toy.gold.window")
        assert [str(part) for part in step.built] == ["day=2026-01-01", "day=2026-01-05"]
        assert [str(part) for part in step.blocked] == [f"day=2026-01-0{d}" for d in (2, 3, 4)]


CHANGE = """/* ---
description: Score of a day beside that of the days before
inputSources:
  - {name: today, dataset: toy.silver.daily, on_missing: empty}
  - {name: week, dataset: toy.silver.daily, lookback: 6, on_missing: empty}
outputs:
  - slice: [day]
    schema: {day: date, score: bigint, week: bigint}
--- */
SELECT {{ day | day }} AS day, (SELECT CAST(sum(score) AS BIGINT) FROM today) AS score,
  (SELECT CAST(sum(score) AS BIGINT) FROM week) AS week
"""


def test_another_window_of_one_of_two_names_for_a_dataset_is_a_change(tmp_path) -> None:
    """The slices read are the same, and the rows are not."""
    root = create(tmp_path / "toy", {"silver/daily": DAILY, "gold/change": CHANGE})
    with open_modes(root) as project:
        import_days(project, five_days())
        assert run_now(project, RunRequest()).error is None
    write(root, "gold/change", CHANGE.replace("daily, on_missing", "daily, lookback: 3, on_missing"))
    with open_modes(root) as project:
        told = reasons(project, "toy.gold.change")

        assert told["day=2026-01-05"] == ("stale", "SQL changed")
