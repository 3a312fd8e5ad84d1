"""Cumulative tables: each slice is made from the one before."""

from __future__ import annotations

import pytest

from gamelake.errors import ConflictError, LayoutError
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from modes_project import DAILY, TOTAL, create, five_days, import_days, open_modes, tables, twin, write

STEP = "toy.gold.total"


@pytest.fixture
def project(tmp_path):
    root = create(tmp_path / "toy", {"silver/daily": DAILY, "gold/total": TOTAL})
    with open_modes(root) as opened:
        yield opened


def built(result) -> list[str]:
    return [str(part) for step in result.steps if step.step == STEP for part in step.built]


def test_each_slice_reads_the_version_just_built_in_the_same_run(project) -> None:
    import_days(project, five_days())
    result = run_now(project, RunRequest())

    assert result.error is None
    assert built(result) == [f"day=2026-01-0{day}" for day in range(1, 6)]
    assert tables(project)["total"] == twin(five_days())["total"]
    assert run_now(project, RunRequest()).built == 0
    versions = project.ledger.current(STEP)
    last = versions[Slice.of(day="2026-01-05")]
    assert last.inputs[STEP] == {"day=2026-01-04": 1}


def test_a_repair_rebuilds_the_days_after_it_in_order(project) -> None:
    days = five_days()
    import_days(project, days)
    run_now(project, RunRequest())
    days["2026-01-02"] = [("p9", 5, None)]
    import_days(project, {"2026-01-02": days["2026-01-02"]})
    states = [(str(i.slice), i.state.value) for i in plan(project).items if i.step == STEP]
    result = run_now(project, RunRequest())

    assert states == [("day=2026-01-01", "fresh"), *((f"day=2026-01-0{d}", "depends") for d in range(2, 6))]
    assert built(result) == [f"day=2026-01-0{d}" for d in range(2, 6)]
    assert tables(project)["total"] == twin(days)["total"]


def test_a_repair_stops_where_nothing_changed(project) -> None:
    import_days(project, five_days())
    run_now(project, RunRequest())
    text = TOTAL.replace("FROM previous UNION", "FROM previous WHERE true UNION")
    write(project.root, "gold/total", text)
    with open_modes(project.root) as edited:
        before = {part: v.version for part, v in edited.ledger.current(STEP).items()}
        # the rows of day 2 in another order, and one more that the day's total does not show
        day = five_days()["2026-01-02"]
        import_days(edited, {"2026-01-02": [*day[1:], day[0], ("p9", 0, None)]})
        write(project.root, "gold/total", TOTAL)
    with open_modes(project.root) as restored:
        sql = DAILY.replace("GROUP BY day, player", "WHERE player <> 'p9' GROUP BY day, player")
        write(restored.root, "silver/daily", sql)
    with open_modes(project.root) as quiet:
        result = run_now(quiet, RunRequest())

        assert result.error is None
        assert built(result) == []
        assert {part: v.version for part, v in quiet.ledger.current(STEP).items()} == before


def test_a_late_first_day_goes_through_to_today(project) -> None:
    days = five_days()
    first = days.pop("2026-01-01")
    import_days(project, days)
    run_now(project, RunRequest())
    import_days(project, {"2026-01-01": first})
    run_now(project, RunRequest())

    assert tables(project)["total"] == twin(five_days())["total"]


def test_a_day_out_of_order_is_refused(project) -> None:
    import_days(project, five_days())
    run_now(project, RunRequest(("toy.silver.daily",)))
    wanted = (Slice.of(day="2026-01-03"),)
    shown = [item for item in plan(project, slices=wanted).items if item.step == STEP]

    assert [item.state.value for item in shown] == ["blocked"]
    assert shown[0].reason == "carries state from day=2026-01-01, which is missing and not to be built"
    with pytest.raises(ConflictError, match="carries state from day=2026-01-01"):
        run_now(project, RunRequest(slices=wanted))
    assert project.ledger.current(STEP) == {}


def test_a_day_is_forced_alone_when_those_before_it_are_fresh(project) -> None:
    import_days(project, five_days())
    run_now(project, RunRequest())
    wanted = (Slice.of(day="2026-01-03"),)
    result = run_now(project, RunRequest((STEP,), force=True, slices=wanted))

    assert result.error is None
    assert built(result) == ["day=2026-01-03"]
    assert tables(project)["total"] == twin(five_days())["total"]


def test_what_comes_after_a_failed_day_waits(project) -> None:
    text = TOTAL.replace("--- */", "checks: [{kind: range, column: total, max: 60}]\n--- */")
    write(project.root, "gold/total", text)
    days = {f"2026-01-0{d}": [("p", 25, None)] for d in range(1, 6)}
    with open_modes(project.root) as checked:
        import_days(checked, days)
        result = run_now(checked, RunRequest())

        step = next(step for step in result.steps if step.step == STEP)
        assert [str(part) for part in step.built] == ["day=2026-01-01", "day=2026-01-02"]
        assert [str(failed.slice) for failed in step.failed] == ["day=2026-01-03"]
        assert [str(part) for part in step.blocked] == ["day=2026-01-04", "day=2026-01-05"]
        states = [i.state.value for i in plan(checked).items if i.step == STEP]
        assert states == ["fresh", "fresh", "missing", "missing", "missing"]


CHAIN = TOTAL.replace(
    "carries: true",
    "variables: {start: {type: date, default: 0001-01-01}}\ncarries: {gaps: fail, first: start}",
)


def test_a_day_without_a_slice_is_an_error_in_a_chain_without_gaps(project) -> None:
    write(project.root, "gold/total", CHAIN)
    days = five_days()
    missing = days.pop("2026-01-03")
    with open_modes(project.root) as strict:
        import_days(strict, days)
        result = run_now(strict, RunRequest())

        assert "no slice day=2026-01-03, on which day=2026-01-04 goes on: the chain has a gap" in str(
            result.error
        )
        assert built(result) == ["day=2026-01-01", "day=2026-01-02"]
        import_days(strict, {"2026-01-03": missing})
        assert run_now(strict, RunRequest()).error is None
        assert tables(strict)["total"] == twin(five_days())["total"]


def test_a_chain_begins_on_its_first_day_however_much_is_there_before(project) -> None:
    write(project.root, "gold/total", CHAIN.replace("0001-01-01", "2026-01-03"))
    days = five_days()
    with open_modes(project.root) as later:
        import_days(later, days)
        assert run_now(later, RunRequest()).error is None

        kept = {day: rows for day, rows in days.items() if day >= "2026-01-03"}
        assert tables(later)["total"] == twin(kept)["total"]


def test_a_first_day_is_a_declared_variable(project) -> None:
    write(project.root, "gold/total", CHAIN.replace("first: start", "first: stat"))

    with pytest.raises(
        LayoutError, match=r"`first: stat` names a variable that holds the first day, and none"
    ):
        open_modes(project.root)


def test_one_slice_can_be_built_again_by_force(project) -> None:
    import_days(project, five_days())
    run_now(project, RunRequest())

    result = run_now(project, RunRequest((STEP,), slices=(Slice.of(day="2026-01-03"),), force=True))

    assert result.error is None
    assert built(result) == ["day=2026-01-03"]
    assert tables(project)["total"] == twin(five_days())["total"]
