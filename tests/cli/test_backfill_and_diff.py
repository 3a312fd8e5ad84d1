"""`gamelake backfill` and `gamelake diff`, as a person types them."""

from __future__ import annotations

import json

import pytest

TOTAL = """/* ---
description: Score up to a day
inputSources: [{name: scores, dataset: toy.bronze.scores}]
carries: true
outputs:
  - slice: [day]
    grain: [player]
    schema: {day: date, player: text, total: bigint}
--- */
SELECT {{ day | day }} AS day, player, CAST(sum(n) AS BIGINT) AS total
FROM (SELECT player, score AS n FROM scores UNION ALL SELECT player, total FROM previous) GROUP BY player
"""


@pytest.fixture
def line(gamelake):
    gamelake.ok("init", "project", "--pack", "toy", "--name", "Toys")
    gamelake.folder /= "project"
    for day in (1, 2, 3):
        gamelake.ok("toy", "load", f"2026-01-0{day}", f"ann={day}", "bob=5")
    layout = gamelake.folder / "layouts" / "ours" / "gold" / "total.sql"
    layout.parent.mkdir(parents=True, exist_ok=True)
    layout.write_text(TOTAL)
    return gamelake


def test_a_backfill_plans_builds_and_then_has_nothing_to_do(line) -> None:
    span = ("backfill", "ours.gold.total", "--from", "2026-01-01", "--to", "2026-01-02")
    planned = json.loads(line.ok(*span, "--plan", "--json"))
    built = json.loads(line.ok(*span, "--json"))
    again = json.loads(line.ok(*span, "--json"))

    assert [item["slice"] for item in planned["items"]] == ["day=2026-01-01", "day=2026-01-02"]
    assert (built["from"], built["to"], built["slices"], again["slices"]) == (
        "2026-01-01",
        "2026-01-02",
        2,
        0,
    )
    assert "2 slices" in line(*span, "--force").err


@pytest.mark.parametrize(
    ("first", "last", "problem"),
    [
        ("yesterday", "2026-01-02", "`--from yesterday` is not a day"),
        ("2026-01-03", "2026-01-02", "`--to 2026-01-02` comes before `--from 2026-01-03`"),
        ("2026-01-02", "2026-01-03", "carries state from day=2026-01-01, which is missing"),
    ],
)
def test_a_span_that_cannot_be_meant_is_refused(line, first, last, problem) -> None:
    done = line("backfill", "ours.gold.total", "--from", first, "--to", last)

    assert done.code == 2
    assert problem in done.err


def test_a_backfill_takes_what_a_run_takes(line) -> None:
    layout = line.folder / "layouts" / "ours" / "gold" / "total.sql"
    text = TOTAL.replace("carries: true", "carries: true\nvariables: {bonus: int}")
    layout.write_text(text.replace("player, score AS n", "player, score + {{ bonus | lit }} AS n"))
    span = ("backfill", "ours.gold.total", "--from", "2026-01-01", "--to", "2026-01-02")

    assert "the variable `bonus` has no value" in line(*span).err
    told = json.loads(
        line.ok(*span, "--var", "bonus=10", "--engine", "duckdb", "--json", GAMELAKE_ENGINE="spark")
    )

    assert told["slices"] == 2
    shown = json.loads(line.ok("jobs", "show", told["run"], "--json"))
    assert shown["title"] == "backfill ours.gold.total from 2026-01-01 to 2026-01-02 with bonus=10"
    rows = json.loads(line.ok("query", "SELECT max(total) AS n FROM ours.gold.total", "--format", "json"))[
        "rows"
    ]
    assert rows == [{"n": 30}]
    for option in (("--var", "day=2026-01-01"), ("--slice", "day=2026-01-01")):
        done = line(*span, "--var", "bonus=10", *option)
        assert (done.code, "chooses the day, and so do `--from` and `--to`" in done.err) == (2, True)


def test_a_step_alone_takes_its_inputs_as_they_are(line) -> None:
    line.ok("toy", "load", "2026-01-05", "ann=5")
    window = TOTAL.replace("carries: true\n", "").replace(
        "toy.bronze.scores", "toy.bronze.scores, lookback: 1"
    )
    sql = "SELECT {{ day | day }} AS day, player, sum(score)::BIGINT AS total FROM scores GROUP BY player"
    layout = line.folder / "layouts" / "ours" / "gold" / "window.sql"
    layout.write_text(window.partition("SELECT")[0] + sql)

    told = json.loads(line.ok("run", "ladder", "--only", "--json"))
    gap = line("run", "ours.gold.window", "--only", "--slice", "day=2026-01-05")
    fine = line("run", "ours.gold.window", "--only", "--slice", "day=2026-01-03")

    assert [(step["step"], step["slices"]) for step in told["steps"]] == [("toy.gold.ladder", 0)]
    assert json.loads(line.ok("status", "toy.gold.best", "--json"))["slices"] == []
    assert gap.code == 1
    assert "! ours.gold.window day=2026-01-05: input toy.bronze.scores day=2026-01-04 was never" in gap.err
    assert fine.code == 0


def test_a_diff_tells_by_its_exit_code_whether_rows_would_change(line) -> None:
    line.ok("run")
    same = line("diff", "ours.gold.total")
    layout = line.folder / "layouts" / "ours" / "gold" / "total.sql"
    layout.write_text(TOTAL.replace("CAST(sum(n) AS", "CAST(sum(n) + (player = 'ann')::INT AS"))
    other = line("diff", "ours.gold.total", "--slice", "day=2026-01-02")
    told = json.loads(line("diff", "ours.gold.total", "--slice", "day=2026-01-02", "--json").out)

    assert (same.code, other.code) == (0, 1)
    assert "the same 2 rows" in same.err
    assert "player=ann: total=3 → 4" in other.out
    assert told["changed"] == 1
    assert told["columns"] == {"total": 1}
    assert told["samples"]["changed"] == [{"grain": {"player": "ann"}, "total": {"was": 3, "is": 4}}]
    assert line("diff", "ours.gold.nothing").code == 2
