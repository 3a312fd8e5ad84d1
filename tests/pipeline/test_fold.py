"""`append_unique`, `merge` and `scd2`: one table folded from what every slice says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Mode, Output, Source
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.graph import Graph
from gamelake.pipeline.lineage import column_sources
from gamelake.pipeline.plan import plan
from gamelake.pipeline.rollback import rollback
from gamelake.stores.maintenance import remove_orphans
from modes_project import DAILY, LAYOUTS, create, five_days, import_days, open_modes, tables, twin, write

FOLDED = {name: LAYOUTS[name] for name in ("gold/debut", "gold/latest", "gold/member")}


@pytest.fixture
def project(tmp_path):
    with open_modes(create(tmp_path / "toy", {"silver/daily": DAILY, **FOLDED})) as opened:
        yield opened


def expected(days) -> dict:
    made = twin(days)
    return {name: made[name] for name in ("debut", "latest", "member")}


def sql_of(project, dataset: str) -> str:
    """What the last run did to a table."""
    tasks = project.ledger.tasks(project.ledger.runs()[0].id)
    return next(task.sql for task in tasks if task.step == dataset)


@pytest.mark.parametrize("order", [(3, 1, 2), (2, 3, 1)])
def test_any_order_of_runs_gives_the_same_tables(project, order) -> None:
    days = five_days()
    seen = {}
    for number in order:
        day = f"2026-01-0{number}"
        seen[day] = days[day]
        import_days(project, {day: days[day]})
        assert run_now(project, RunRequest()).error is None
        assert tables(project) == expected(seen)


def test_a_newer_delta_is_applied_to_the_table_and_an_older_one_folds_again_from_before_it(project) -> None:
    days = five_days()
    for day in sorted(days)[:3]:
        import_days(project, {day: days[day]})
        run_now(project, RunRequest())
    with_table = [v.version for v in project.ledger.versions("toy.gold.latest")]
    days["2026-01-03"] = [("p1", 99, "green")]
    import_days(project, {"2026-01-03": days["2026-01-03"], "2026-01-04": days["2026-01-04"]})
    run_now(project, RunRequest())

    assert with_table == [3, 2, 1]
    assert tables(project) == expected({day: days[day] for day in sorted(days)[:4]})
    newest = project.ledger.versions("toy.gold.latest")[0]
    assert len(newest.inputs["toy.gold.latest__delta"]) == 4


def test_a_repair_that_changes_no_row_of_the_table_stops_there(project) -> None:
    days = five_days()
    import_days(project, days)
    run_now(project, RunRequest())
    before = project.ledger.current("toy.gold.debut")[Slice()]
    # p6 and the others have been seen before: their last rows say nothing new about the first
    days["2026-01-05"] = [(name, score + 1, guild) for name, score, guild in days["2026-01-05"]]
    known = {name for day in sorted(days)[:4] for name, _, _ in days[day]}
    assert {name for name, _, _ in days["2026-01-05"]} <= known
    import_days(project, {"2026-01-05": days["2026-01-05"]})
    run_now(project, RunRequest())

    after = project.ledger.current("toy.gold.debut")[Slice()]
    assert after.content_hash == before.content_hash
    assert tables(project) == expected(days)


def test_an_earlier_state_of_the_table_can_be_asked_for(project) -> None:
    days = five_days()
    import_days(project, {day: days[day] for day in sorted(days)[:2]})
    first = run_now(project, RunRequest()).run_id
    import_days(project, days)
    run_now(project, RunRequest())

    with project.connect(as_of=first) as then:
        rows = then.execute("SELECT * FROM toy.gold.latest ORDER BY ALL").fetchall()
    assert rows == expected({day: days[day] for day in sorted(days)[:2]})["latest"]


def test_a_rollback_holds_until_the_next_delta_which_makes_the_table_whole_again(project) -> None:
    days = five_days()
    for count in (2, 4):
        import_days(project, {day: days[day] for day in sorted(days)[:count]})
        run_now(project, RunRequest())
    rollback(project, "toy.gold.latest", Slice())

    assert tables(project)["latest"] == expected({d: days[d] for d in sorted(days)[:2]})["latest"]
    assert run_now(project, RunRequest()).built == 0
    import_days(project, days)
    run_now(project, RunRequest())
    assert tables(project) == expected(days)


def test_rolling_back_a_delta_takes_its_rows_out_of_the_table(project) -> None:
    days = five_days()
    import_days(project, days)
    run_now(project, RunRequest())
    import_days(project, {"2026-01-05": [("p1", 999, "green")]})
    run_now(project, RunRequest())
    for name in ("debut", "latest", "member"):
        rollback(project, f"toy.gold.{name}__delta", Slice.of(day="2026-01-05"))
    run_now(project, RunRequest())

    assert tables(project) == expected(days)


def test_force_folds_everything_again(project) -> None:
    import_days(project, five_days())
    run_now(project, RunRequest())
    before = tables(project)
    result = run_now(project, RunRequest(("toy.gold.member",), force=True))

    assert result.built == 6  # five deltas and the table
    assert tables(project) == before == expected(five_days())


def test_old_versions_may_go_without_harm(project) -> None:
    days = five_days()
    for day in sorted(days):
        import_days(project, {day: days[day]})
        run_now(project, RunRequest())
    remove_orphans(project.lake, project.ledger, grace=0.0, keep_versions=1, clock=project.clock, owner="me")
    days["2026-01-02"] = [("p0", 7, "red")]
    import_days(project, {"2026-01-02": days["2026-01-02"]})
    run_now(project, RunRequest())

    assert tables(project) == expected(days)
    assert all(Path(f).exists() for v in project.ledger.current("toy.gold.latest").values() for f in v.files)


def test_the_same_row_twice_in_one_delta_is_refused(project) -> None:
    write(project.root, "gold/latest", FOLDED["gold/latest"].replace("FROM daily", "FROM daily, range(2)"))
    with open_modes(project.root) as edited:
        import_days(edited, five_days())
        result = run_now(edited, RunRequest())

    assert result.error is not None
    assert "grain is unique" in result.error.problem
    assert "toy.gold.latest" not in {s.step for s in result.steps if s.built}


def test_checks_look_at_the_folded_table_before_anybody_reads_it(project) -> None:
    text = FOLDED["gold/latest"].replace("--- */", "checks: [{kind: row_count, max: 4}]\n--- */")
    write(project.root, "gold/latest", text)
    days = five_days()
    first = {"2026-01-01": days["2026-01-01"]}
    with open_modes(project.root) as checked:
        import_days(checked, first)
        assert run_now(checked, RunRequest()).error is None
        import_days(checked, days)
        result = run_now(checked, RunRequest())

        assert result.error is not None
        assert tables(checked)["latest"] == expected(first)["latest"]


def test_columns_of_the_table_are_traced_to_its_deltas(project) -> None:
    assert column_sources(project, "toy.gold.member", "valid_from") == [("toy.gold.member__delta", "day")]
    assert column_sources(project, "toy.gold.member", "guild") == [("toy.gold.member__delta", "guild")]


def test_validity_ends_where_the_next_begins_and_a_gap_ends_nothing(project) -> None:
    import_days(
        project,
        {
            "2026-01-01": [("p", 1, None)],
            "2026-01-02": [("q", 1, "red")],
            "2026-01-03": [("p", 1, None)],
            "2026-01-04": [("p", 1, "red")],
        },
    )
    run_now(project, RunRequest())

    assert tables(project)["member"] == [
        ("p", "red", date(2026, 1, 4), None, True),
        ("p", None, date(2026, 1, 1), date(2026, 1, 4), False),
        ("q", "red", date(2026, 1, 2), None, True),
    ]


def test_only_layouts_fold() -> None:
    schema = Schema((Column("day", ColumnType.DATE, nullable=False),))
    output = Output(DatasetName.parse("toy.bronze.raw"), schema, Mode.MERGE, ("day",), ("day",))

    with pytest.raises(LayoutError, match="which only layouts can"):
        Graph([Source("raw", (output,))])


def test_a_plan_shows_deltas_and_table(project) -> None:
    import_days(project, five_days())
    steps = [item.step for item in plan(project, ["toy.gold.latest"]).items]

    assert [step.rpartition(".")[2] for step in dict.fromkeys(steps)] == ["daily", "latest__delta", "latest"]
