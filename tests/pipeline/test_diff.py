"""What changed code would change, seen before anybody runs it."""

from __future__ import annotations

import pytest

from gamelake.errors import NotFoundError
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.diff import diff
from gamelake.pipeline.execute import RunRequest
from modes_project import DAILY, LAYOUTS, WINDOW, create, five_days, import_days, open_modes, tables, write

DAY = Slice.of(day="2026-01-02")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    made = create(tmp_path_factory.mktemp("diff") / "toy")
    with open_modes(made) as project:
        import_days(project, five_days())
        assert run_now(project, RunRequest()).error is None
    return made


@pytest.fixture
def edited(root):
    """Opens the project with one layout changed, and puts it back."""
    opened = []

    def edit(name: str, text: str):
        write(root, name, text)
        opened.append((name, open_modes(root)))
        return opened[-1][1]

    yield edit
    for name, project in opened:
        project.close()
        write(root, name, LAYOUTS[name])


def test_code_that_gives_the_same_rows_is_the_same(edited) -> None:
    project = edited("silver/daily", DAILY.replace("SELECT day", "SELECT DISTINCT day"))
    found = diff(project, "toy.silver.daily", DAY)

    assert found.is_same
    assert (found.before, found.after, found.by_grain) == (4, 4, True)


def test_rows_added_removed_and_changed_are_told_apart_by_grain(edited) -> None:
    sql = DAILY.replace(
        "CAST(sum(score) AS BIGINT)", "CAST(sum(score) + (player = 'p4')::INT AS BIGINT)"
    ).replace(
        "FROM raw GROUP BY",
        "FROM (SELECT * FROM raw WHERE player <> 'p3' UNION ALL SELECT DATE '2026-01-02', 'new', 1, NULL) GROUP BY",
    )
    project = edited("silver/daily", sql)
    before = tables(project), len(project.ledger.versions("toy.silver.daily"))
    names = {row[0] for row in five_days()["2026-01-02"]}
    found = diff(project, "toy.silver.daily", DAY)

    assert {"p3"} & names == {"p3"} - ({"p3"} - names)
    assert found.added == 1
    assert found.removed == ("p3" in names)
    assert found.changed == ("p4" in names)
    assert found.columns == ({"score": 1} if "p4" in names else {})
    assert found.samples["added"][0]["player"] == "new"
    assert all(set(row) == {"grain", "score"} for row in found.samples["changed"])
    assert (tables(project), len(project.ledger.versions("toy.silver.daily"))) == before


def test_without_a_grain_rows_are_compared_as_a_whole(edited) -> None:
    sql = DAILY.replace("    grain: [player]\n", "").replace("CAST(sum(score) AS", "CAST(sum(score) + 1 AS")
    found = diff(edited("silver/daily", sql), "toy.silver.daily", DAY)

    assert (found.by_grain, found.added, found.removed, found.changed) == (False, 4, 4, 0)


def test_new_and_gone_columns_are_named(edited) -> None:
    sql = WINDOW.replace("days: bigint not null", "best: bigint").replace(
        "count(*) AS days", "max(score) AS best"
    )
    found = diff(edited("gold/window", sql), "toy.gold.window")

    assert (found.new_columns, found.gone_columns) == (("best",), ("days",))
    assert found.slice == Slice.of(day="2026-01-05")
    assert not found.is_same


def test_a_folded_table_is_compared_as_it_would_be(edited) -> None:
    sql = LAYOUTS["gold/latest"].replace(
        "SELECT day, player, score,", "SELECT day, player, score * 2 AS score,"
    )
    project = edited("gold/latest", sql)
    last = Slice.of(day="2026-01-05")
    found = diff(project, "toy.gold.latest", last)
    delta = diff(project, "toy.gold.latest__delta", last)

    assert (found.dataset, found.added, found.removed) == ("toy.gold.latest", 0, 0)
    assert found.changed == delta.changed == 4
    assert found.before == 6


def test_a_slice_that_cannot_be_built_is_not_found(edited) -> None:
    project = edited("gold/window", WINDOW)

    with pytest.raises(NotFoundError, match="has no slice day=2030-01-01"):
        diff(project, "toy.gold.window", Slice.of(day="2030-01-01"))
