"""Checks in whole runs: what they order, what they stop, what is remembered of them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.layouts.load import load_folder
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output, Source
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.pipeline.project import Project
from gamelake.pipeline.source import source_run
from gamelake.settings import Settings
from sample_project import import_days, members

LAYOUT = """/* ---
description: {name}
inputSources:
  - {{name: source, dataset: {source}}}
outputs:
  - slice: [day]
    on_empty: clear
    schema: {{day: date, player: text, score: bigint not null}}
checks:
{checks}
--- */
SELECT day, player, score FROM source
"""
WHOLE = """/* ---
description: every player
inputSources:
  - {name: source, dataset: toy.silver.clean}
outputs:
  - grain: [player]
    on_empty: clear
    schema: {player: text}
checks: []
--- */
SELECT DISTINCT player FROM source
"""
PLAYERS = {"2026-01-01": [("ann", 3), ("bob", 5)], "2026-01-02": [("ann", 4), ("eve", 50)]}


def write(root: Path, name: str, source: str, *checks: str) -> None:
    listed = "\n".join(f"  - {{{check}}}" for check in checks) or "  []"
    text = LAYOUT.format(name=name, source=source, checks=listed)
    (root / "layouts" / "gold" / f"{name}.sql").write_text(text.replace("checks:\n  []", "checks: []"))


def opened(root: Path) -> Project:
    layouts = load_folder(root / "layouts", "toy")
    python = [m for m in members(root) if m.name in {"scores", "clean"}]
    return Project.open(Settings.load(root), [*python, *layouts])


@pytest.fixture
def graph(root: Path) -> Path:
    """clean → a → b → d and clean → c, where c is checked against e, and e reads clean."""
    for file in (root / "layouts" / "gold").glob("*.sql"):
        file.unlink()
    write(root, "a", "toy.silver.clean", "kind: range, column: score, max: 10")
    write(root, "b", "toy.gold.a")
    write(root, "d", "toy.gold.b")
    write(root, "c", "toy.silver.clean", "kind: relationship, columns: player, dataset: toy.gold.e")
    (root / "layouts" / "gold" / "e.sql").write_text(WHOLE)
    return root


def test_a_failed_check_stops_what_depends_on_it_and_nothing_else(graph) -> None:
    good, bad = "2026-01-01", "2026-01-02"
    with opened(graph) as project:
        import_days(project, {day: [("ann", 1)] for day in (good, bad)})
        assert run_now(project, RunRequest()).error is None
        import_days(project, PLAYERS)

        result = run_now(project, RunRequest())

        built = {step.step: [str(part) for part in step.built] for step in result.steps}
        blocked = {step.step: [str(part) for part in step.blocked] for step in result.steps if step.blocked}
        for name in ("a", "b", "d"):
            assert built[f"toy.gold.{name}"] == [f"day={good}"]
            assert len(rows_of(project, name, bad)) == 1  # as before
        assert built["toy.gold.c"] == [f"day={good}", f"day={bad}"]
        assert built["toy.gold.e"] == ["all"]
        # no slice of `a` was published for that day, so the old one feeds `b` and `d`, which stay as they are
        assert [str(failure.slice) for step in result.steps for failure in step.failed] == [f"day={bad}"]
        assert blocked == {}
        assert result.exit_code == 1


def rows_of(project: Project, name: str, day: str) -> list[tuple[object, ...]]:
    with project.connect() as connection:
        query = f"SELECT * FROM toy.gold.{name} WHERE day = '{day}'"
        return connection.execute(query).fetchall()


def test_what_a_check_compares_with_is_built_first_and_its_failure_blocks(graph) -> None:
    with opened(graph) as project:
        names = list(project.graph.steps)
        assert names.index("toy.gold.e") < names.index("toy.gold.c")
        assert "toy.gold.e" in project.graph.select(["toy.gold.c"])
        import_days(project, PLAYERS)
    bad = WHOLE.replace("checks: []", "checks:\n  - {kind: row_count, max: 1}")
    (graph / "layouts" / "gold" / "e.sql").write_text(bad)

    with opened(graph) as project:
        result = run_now(project, RunRequest(("toy.gold.c",)))

        states = {step.step: step.state for step in result.steps}
        assert (states["toy.gold.e"], states["toy.gold.c"]) == ("failed", "blocked")


def test_what_a_check_compares_with_makes_nothing_stale_and_is_remembered(graph) -> None:
    write(graph, "a", "toy.silver.clean")
    with opened(graph) as project:
        import_days(project, {"2026-01-01": PLAYERS["2026-01-01"]})
        first = run_now(project, RunRequest())
        import_days(project, {"2026-01-02": PLAYERS["2026-01-02"]})

        work = {(item.step, str(item.slice)) for item in plan(project).work}
        assert ("toy.gold.c", "day=2026-01-01") not in work
        task = next(t for t in project.ledger.tasks(first.run_id) if t.step == "toy.gold.c")
        assert task.detail["judged_against"] == {"toy.gold.e": {"all": 1}}


def test_slices_of_one_commit_are_compared_with_each_other(graph) -> None:
    write(graph, "a", "toy.silver.clean", "kind: row_count, min_ratio: 0.6, previous: 1")
    rows = {"2026-01-01": 10, "2026-01-02": 6, "2026-01-03": 3, "2026-01-04": 4}
    with opened(graph) as project:
        import_days(project, {day: [(f"p{i}", 1) for i in range(count)] for day, count in rows.items()})

        result = run_now(project, RunRequest(("toy.gold.a",)))

        step = next(step for step in result.steps if step.step == "toy.gold.a")
        assert [str(part) for part in step.built] == ["day=2026-01-01", "day=2026-01-02", "day=2026-01-04"]
        assert [str(failure.slice) for failure in step.failed] == ["day=2026-01-03"]
        assert "found 0.5, expected at least 0.6 times the 6 rows before" in step.failed[0].error.problem
        assert Slice.of(day="2026-01-03") not in project.ledger.current("toy.gold.a")


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        (
            "kind: relationship, columns: player, dataset: toy.gold.ee",
            "checks[0].dataset): check `relationship(player in toy.gold.ee)`: no step or source writes `toy.gold.ee`\n\nhint: did you mean `toy.gold.e`?",
        ),
        ("kind: relationship, columns: player, to: plyer, dataset: toy.gold.e", "`toy.gold.e` has no column `plyer`"),
        ("kind: relationship, columns: score, to: player, dataset: toy.gold.e", "`score` is `bigint` and `player` of `toy.gold.e` is `text`"),
        ("kind: conservation, column: score, to: player, dataset: toy.gold.e", "`player` of `toy.gold.e` is `text`; it is added up"),
        ("kind: relationship, columns: player, dataset: toy.gold.a", "it compares the dataset with itself"),
    ],
)  # fmt: skip
def test_a_check_that_does_not_fit_the_other_dataset_is_refused(graph, check, problem) -> None:
    write(graph, "a", "toy.silver.clean", check)

    with pytest.raises(LayoutError) as caught:
        opened(graph)

    assert problem in str(caught.value)
    assert "a.sql:10 (checks[0].dataset)" in str(caught.value)


def test_checks_that_wait_for_each_other_are_a_circle(graph) -> None:
    write(graph, "a", "toy.silver.clean", "kind: relationship, columns: player, dataset: toy.gold.d")

    with pytest.raises(LayoutError, match="these steps read each other in a circle"):
        opened(graph)


ROUND = Output(
    DatasetName.parse("toy.bronze.rounds"),
    Schema(tuple(Column(name, ColumnType.INT) for name in ("round", "gain", "balance"))),
    slice_columns=("round",),
)
PURSE = """/* ---
description: What is left after each round
inputSources: [{name: rounds, dataset: toy.bronze.rounds}]
outputs: [{slice: [round], schema: {round: int, gain: int, spend: int, balance: int}}]
checks: [{kind: balance, gain: gain, spend: spend, balance: balance, key: round}]
--- */
SELECT round, gain, 0 AS spend, balance FROM rounds
"""


@pytest.mark.parametrize("at_once", [1, 4])
def test_numbered_slices_are_judged_by_the_number_before(tmp_path, at_once) -> None:
    """Neither in the order of their text, where 10 follows 1, nor side by side."""
    file = tmp_path / "layouts" / "gold" / "purse.sql"
    file.parent.mkdir(parents=True)
    file.write_text(PURSE)
    (tmp_path / "gamelake.toml").write_text("packs = []\n")
    members = [Source("rounds", (ROUND,)), *load_folder(tmp_path / "layouts", "toy")]
    with Project.open(Settings.load(tmp_path), members) as project:
        slices = {
            Slice.of(round=str(n)): [pa.table({"round": [n], "gain": [n], "balance": [n * (n + 1) // 2]})]
            for n in range(1, 13)
        }
        with source_run(project, "import", name="rounds") as run:
            run.publish(ROUND, slices)

        result = run_now(project, RunRequest(("toy.gold.purse",), at_once=at_once))

        assert result.error is None
        assert result.built == 12
