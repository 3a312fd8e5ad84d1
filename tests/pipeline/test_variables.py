"""Variables with defaults, given on the command line, bound to slices."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gamelake.errors import LayoutError, UserError
from gamelake.jobs.local import run_now
from gamelake.layouts.variables import parse_variables
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from gamelake.pipeline.render import render
from gamelake.pipeline.variables import apply
from sample_project import create, import_days, open_sample

LEAGUE = """/* ---
description: Best players
inputSources:
  - {name: daily, dataset: toy.gold.daily}
variables:
  least: {type: int, default: 2}
  until: {type: date, default: today}
  by: {type: ident, default: score}
outputs:
  - grain: [player]
    on_empty: clear
    allow_shrink: 0
    schema: {player: text, best: bigint not null}
--- */
SELECT player, max({{ by | ident }}) AS best FROM daily
WHERE score >= {{ least | lit }} AND day <= {{ until | day }} GROUP BY player
"""
SLICED = """/* ---
description: Players of a day
inputSources:
  - {name: daily, dataset: toy.gold.daily}
outputs:
  - slice: {day: logDate}
    grain: [player]
    schema: {day: date, player: text}
--- */
SELECT day, player FROM daily WHERE day = {{ logDate | day }}
"""
DAYS = {"2026-01-01": [("ann", 1), ("bob", 5)], "2026-01-02": [("ann", 7)]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    create(tmp_path)
    (tmp_path / "layouts" / "gold" / "league.sql").write_text(LEAGUE)
    (tmp_path / "layouts" / "gold" / "sliced.sql").write_text(SLICED)
    with open_sample(tmp_path) as project:
        import_days(project, DAYS)
        assert run_now(project, RunRequest()).exit_code == 0
    return tmp_path


def rows(root: Path, name: str) -> list[tuple]:
    with open_sample(root) as project, project.connect() as connection:
        return connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()


def test_defaults_hold_where_nobody_gives_a_value(root: Path) -> None:
    assert rows(root, "toy.gold.league") == [("ann", 7), ("bob", 5)]
    with open_sample(root) as project:
        today = datetime.now(UTC).date()
        assert f"DATE '{today}'" in render(project, "league")


def test_a_given_value_makes_other_rows_and_the_next_run_goes_back(root: Path) -> None:
    with open_sample(root) as project:
        request = RunRequest(("toy.gold.league",), variables={"least": "6"})
        assert run_now(project, request).built == 1
    assert rows(root, "toy.gold.league") == [("ann", 7)]

    with open_sample(root) as project:
        [item] = plan(project, ["toy.gold.league"]).work
        assert item.reason == "SQL changed"
        assert run_now(project, RunRequest()).built == 1
    assert rows(root, "toy.gold.league") == [("ann", 7), ("bob", 5)]


def test_a_variable_bound_to_a_slice_chooses_it(root: Path) -> None:
    with open_sample(root) as project:
        slices = apply(project, {"logDate": "2026-01-02"}, ["sliced"], None)
        items = plan(project, ["sliced"], slices=slices, force=True).work

        assert [str(item.slice) for item in items if item.step == "toy.gold.sliced"] == ["day=2026-01-02"]
        assert "DATE '2026-01-02'" in render(project, "sliced", given={"logDate": "2026-01-02"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"leest": "1"},
            "undefined variable `leest`, the layouts to run define: `by`, `day`, `least`, `until`",
        ),
        ({"least": "many"}, "`many` is not a value of the variable `least`"),
        ({"until": "2026-02-30"}, "`2026-02-30` is not a value of the variable `until`"),
    ],
)
def test_a_wrong_variable_is_refused(root: Path, given, words) -> None:
    with open_sample(root) as project, pytest.raises(UserError) as caught:
        apply(project, given, ["league"], None)

    assert words in str(caught.value)


def test_a_variable_without_any_value_stops_the_plan(root: Path) -> None:
    file = root / "layouts" / "gold" / "league.sql"
    file.write_text(LEAGUE.replace("{type: int, default: 2}", "int"))

    with open_sample(root) as project:
        with pytest.raises(LayoutError, match="the variable `least` has no value"):
            plan(project)
        apply(project, {"least": "2"}, None, None)
        assert plan(project).work


def test_values_are_read_as_they_were_written() -> None:
    assert parse_variables(" a=1, b = x=y ", ["c= d,e "]) == {"a": "1", "b": "x=y", "c": " d,e "}
    with pytest.raises(UserError, match="`a` is not a variable with its value"):
        parse_variables("a", None)
    with pytest.raises(UserError, match="given twice"):
        parse_variables("a=1", ["a=2"])


def test_what_a_run_was_given_is_kept_with_it() -> None:
    request = RunRequest(("x",), variables={"least": "6"})

    assert RunRequest.from_json(request.to_json()) == request
    assert request.title == "run x with least=6"
