"""Filling the gaps of a span of days, and what it leaves alone."""

from __future__ import annotations

import pytest

from gamelake.errors import ConflictError, UserError
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from modes_project import (
    DAILY,
    TOTAL,
    WINDOW,
    create,
    five_days,
    import_days,
    open_modes,
    tables,
    twin,
    write,
)

SPAN = ("2026-01-02", "2026-01-04")


@pytest.fixture
def project(tmp_path):
    with open_modes(create(tmp_path / "toy")) as opened:
        import_days(opened, five_days())
        yield opened


def built(result, step: str) -> list[str]:
    return [str(part) for found in result.steps if found.step == step for part in found.built]


def days_of(first: int, last: int) -> list[str]:
    return [f"day=2026-01-0{day}" for day in range(first, last + 1)]


@pytest.mark.parametrize("at_once", [1, 3])
def test_only_the_days_of_the_span_are_built(project, at_once) -> None:
    request = RunRequest(("toy.gold.window", "toy.gold.latest"), days=SPAN, at_once=at_once)
    result = run_now(project, request)

    assert result.error is None
    assert sorted(built(result, "toy.gold.window")) == days_of(2, 4)
    assert sorted(built(result, "toy.silver.daily")) == days_of(2, 4)
    expected = twin({day: rows for day, rows in five_days().items() if SPAN[0] <= day <= SPAN[1]})
    assert tables(project)["latest"] == expected["latest"]
    assert run_now(project, request).built == 0
    assert RunRequest.from_json(request.to_json()) == request


def test_a_backfill_of_carried_state_goes_in_order(project) -> None:
    result = run_now(project, RunRequest(("toy.gold.total",), days=("2026-01-01", "2026-01-04"), at_once=4))

    assert built(result, "toy.gold.total") == days_of(1, 4)
    run_now(project, RunRequest())
    assert tables(project) == twin(five_days())


@pytest.mark.parametrize("upstream", [False, True])
def test_a_backfill_that_starts_after_a_gap_in_carried_state_is_refused(project, upstream) -> None:
    if upstream:
        run_now(project, RunRequest(("toy.silver.daily",)))
    with pytest.raises(ConflictError, match="carries state from day=2026-01-01, which is missing") as caught:
        run_now(project, RunRequest(("toy.gold.total",), days=SPAN))

    assert "begin with that day" in str(caught.value)
    assert project.ledger.current("toy.gold.total") == {}


def test_a_day_whose_input_never_came_holds_back_only_what_carries_on_from_it(tmp_path) -> None:
    strict = WINDOW.replace("on_missing: empty", "on_missing: fail")
    total = TOTAL.replace("daily, dataset: toy.silver.daily", "daily, dataset: toy.gold.window")
    root = create(tmp_path / "holes", {"silver/daily": DAILY, "gold/window": strict, "gold/total": total})
    days = five_days()
    with open_modes(root) as holed:
        import_days(holed, {day: days[day] for day in ("2026-01-01", "2026-01-02", "2026-01-04")})
        result = run_now(holed, RunRequest(("toy.gold.total",), days=("2026-01-01", "2026-01-05")))

        assert result.error is None
        assert built(result, "toy.gold.total") == days_of(1, 2)


def test_changed_sql_is_left_alone_unless_forced(project) -> None:
    run_now(project, RunRequest())
    write(project.root, "gold/window", WINDOW.replace("count(*) AS days", "count(*) * 2 AS days"))
    with open_modes(project.root) as edited:
        made = plan(edited, ["toy.gold.window"])
        assert [vars(part) for part in made.restated()] == [
            {"step": "toy.gold.window", "slices": 5, "rows": len(twin(five_days())["window"])}
        ]
        request = RunRequest(("toy.gold.window",), days=SPAN)
        wanted = request.wanted(edited.graph)
        left = plan(edited, request.targets, slices=wanted, gaps=True)
        assert [(str(i.slice), i.state.value) for i in left.items if i.step == "toy.gold.window"] == [
            (day, "left") for day in days_of(2, 4)
        ]
        assert run_now(edited, request).built == 0
        forced = run_now(edited, RunRequest(request.targets, force=True, days=SPAN))

        assert built(forced, "toy.gold.window") == days_of(2, 4)
        assert built(forced, "toy.silver.daily") == []


def test_what_is_not_sliced_by_a_day_has_no_span(tmp_path) -> None:
    text = TOTAL.replace("carries: true\n", "").replace("  - slice: [day]\n", "  - mode: snapshot_replace\n")
    text = text.replace("{{ day | day }}", "max(DATE '2026-01-01')").replace(
        "SELECT player, total AS n FROM previous UNION ALL SELECT player, score FROM daily",
        "SELECT player, score AS n FROM raw",
    )
    text = text.replace("{name: daily, dataset: toy.silver.daily}", "{name: raw, dataset: toy.bronze.raw}")
    root = create(tmp_path / "toy", {"gold/whole": text, "silver/daily": DAILY})
    with open_modes(root) as project, pytest.raises(UserError, match=r"`toy.gold.whole` is sliced by a date"):
        run_now(project, RunRequest(("toy.gold.whole",), days=SPAN))
