"""`gamelake test`: tests of layouts that pass, that fail, and files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

GOOD = """layout: toy.gold.best
tests:
  - name: the best score of each player
    slice: {day: 2026-01-01}
    inputs:
      scores:
        - {player: ann, score: 3}
        - {player: ann, score: 5}
        - {player: bob}
        - {player: eve, score: 9, day: 2026-01-02}
    prior:
      - {player: old, best: 1}
      - {player: kept, best: 2, day: 2025-12-31}
    expect:
      rows:
        - {player: bob}
        - {player: ann, best: 5}
        - {player: kept, best: 2, day: 2025-12-31}
  - name: a negative score fails the check
    slice: {day: 2026-01-01}
    inputs: {scores: [{player: ann, score: -1}]}
    expect: {failed: [range(best)]}
  - name: no scores are an error
    vars: {day: 2026-01-01}
    inputs: {scores: []}
    expect: {error: "check `not empty` found 0"}
"""
FAILING = """layout: toy.gold.best
tests:
  - name: everything is wrong
    slice: {day: 2026-01-01}
    inputs:
      scores: [{player: ann, score: 3}, {player: bob, score: 4}]
    expect:
      columns: [player, best]
      rows: [{player: ann, best: 4}, {player: eve, best: 1}]
  - name: it should fail
    slice: {day: 2026-01-01}
    inputs: {scores: [{player: ann, score: 3}]}
    expect: {failed: [range(best)]}
  - name: another error
    slice: {day: 2026-01-01}
    inputs: {scores: [{player: ann, score: -3}]}
    expect: {error: disk}
"""
BAD = """layout: toy.gold.best
tests:
  - name: mistakes
    slice: {dya: 2026-01-01}
    vars: {logDate: 2026-01-01}
    inputs:
      score: []
      scores: [{plyer: ann}, {player: ann, score: much}]
    others: {toy.gold.x: []}
    expect:
      columns: [bst]
      rows: [{player: ann, best: 1.5}]
"""


@pytest.fixture
def project(gamelake):
    gamelake.ok("init", "project", "--pack", "toy", "--name", "Toys")
    gamelake.folder /= "project"
    (Path(gamelake.folder) / "tests").mkdir()
    return gamelake


def write(project, text: str, name: str = "best") -> None:
    (Path(project.folder) / "tests" / f"{name}.yaml").write_text(text)


def test_good_tests_pass_and_touch_no_lake(project) -> None:
    write(project, GOOD)

    done = project("test")

    assert (done.code, done.err.strip()) == (0, "3 tests, 3 passed")
    assert done.out.splitlines()[0] == "✓ toy.gold.best: the best score of each player"
    assert not (Path(project.folder) / ".gamelake" / "lake").exists()
    assert not (Path(project.folder) / ".gamelake" / "ledger.db").exists()


def test_a_failing_test_shows_its_rows(project) -> None:
    write(project, FAILING)

    done = project("test")

    assert done.code == 1
    assert "tests/best.yaml:3 (tests[0]): 1 row missing, 1 row not expected, 1 row different" in done.out
    table = [
        line.split() for line in done.out.splitlines() if line.startswith(("differs", "missing", "not "))
    ]
    assert table == [
        ["differs", "ann", "3,", "expected", "4"],
        ["missing", "eve", "1"],
        ["not", "expected", "bob", "4"],
    ]
    assert "check `range(best)` should fail, failed: none" in done.out
    assert "an error with `disk` was expected, it says: toy.gold.best day=2026-01-01: check" in done.out
    assert done.err.strip() == "3 tests, 0 passed, 3 failed"


def test_json_tells_the_difference(project) -> None:
    write(project, FAILING)

    told = json.loads(project("test", "everything is wrong", "--json").out)

    assert (told["engine"], told["passed"], told["failed"], len(told["tests"])) == ("duckdb", 0, 1, 1)
    first = told["tests"][0]
    assert first["missing"] == [{"player": "eve", "best": 1}]
    assert first["extra"] == [{"player": "bob", "best": 4}]
    assert first["differing"] == [
        {"expected": {"player": "ann", "best": 4}, "seen": {"player": "ann", "best": 3}, "columns": ["best"]}
    ]


def test_tests_are_chosen_by_layout_file_or_name(project) -> None:
    write(project, GOOD)
    write(project, FAILING, "failing")

    for names, count in (["best"], 6), (["toy.gold.best"], 6), (["failing"], 3), (["it should fail"], 1):
        assert f"{count} test" in project("test", *names).err
    assert project("test", "bets").code == 2
    assert "did you mean `best`?" in project("test", "bets").err


def test_every_mistake_of_a_file_is_told_with_its_line(project) -> None:
    write(project, BAD)

    done = project("test")

    assert done.code == 2
    for told in (
        "tests/best.yaml:4 (tests[0].slice.dya): `dya` is not a slice column of `toy.gold.best`: day",
        "tests/best.yaml:5 (tests[0].vars.logDate): `toy.gold.best` has no variable `logDate`: day",
        "tests/best.yaml:3 (tests[0]): the test does not say which slice: `day`",
        "tests/best.yaml:7 (tests[0].inputs.score): `toy.gold.best` has no input `score`",
        "did you mean `scores`?",
        "tests/best.yaml:8 (tests[0].inputs.scores[0]): `toy.bronze.scores` has no column `plyer`",
        "(tests[0].inputs.scores[1]): `much` in column `score` is not a value of type `bigint`",
        "tests/best.yaml:9 (tests[0].others.toy.gold.x): no check of `toy.gold.best` compares with `toy.gold.x`",
        "tests/best.yaml:11 (tests[0].expect.columns): `bst` is not a column of `toy.gold.best`",
        "`1.5` in column `best` is not a value of type `bigint`",
    ):
        assert told in done.err.replace("\n  ", " ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layout: a\ntets: []\n", "best.yaml:2 (tets): unknown key `tets`, expected one of: layout, tests"),
        (GOOD.replace("toy.gold.best", "toy.gold.bst"), "best.yaml:1 (layout): no step or dataset is called `toy.gold.bst`"),
        (GOOD.replace("failed: [range(best)]", "failed: [x], error: y"), "best.yaml:22 (tests[1].expect): a test expects either"),
        (GOOD.replace("no scores are an error", "a negative score fails the check"), "best.yaml:23 (tests[2].name): two tests of this file"),
        ("layout: a\nlayout: b\n", "best.yaml:2 (layout): `layout` stands here twice"),
    ],
)  # fmt: skip
def test_a_bad_file_is_the_authors_mistake(project, text, told) -> None:
    write(project, text)

    done = project("test")

    assert done.code == 2
    assert told in done.err


def test_other_engines_are_refused_by_name(project) -> None:
    done = project("test", "--engine", "duckbd")

    assert done.code == 2
    assert "unknown engine `duckbd`, expected one of: duckdb" in done.err


FOLDED = """/* ---
description: Best score over time
inputSources: [{name: scores, dataset: toy.bronze.scores}]
outputs:
  - {mode: scd2, slice: [day], grain: [player], schema: {day: date, player: text, best: bigint}}
--- */
SELECT day, player, max(score) AS best FROM scores GROUP BY day, player
"""
FOLDED_TEST = """layout: mine.gold.over_time
tests:
  - name: a better score ends the one before
    slice: {day: 2026-01-02}
    inputs: {scores: [{player: ann, score: 5}, {player: bob, score: 1}]}
    prior: [{day: 2026-01-01, player: ann, best: 3}, {day: 2026-01-01, player: bob, best: 1}]
    expect:
      rows:
        - {player: ann, best: 3, valid_from: 2026-01-01, valid_to: 2026-01-02, is_current: false}
        - {player: ann, best: 5, valid_from: 2026-01-02, is_current: true}
        - {player: bob, best: 1, valid_from: 2026-01-01, is_current: true}
"""


def test_a_table_folded_from_slices_is_tested_as_a_whole(project) -> None:
    folder = Path(project.folder) / "layouts" / "mine" / "gold"
    folder.mkdir(parents=True)
    (folder / "over_time.sql").write_text(FOLDED)
    write(project, FOLDED_TEST, "over_time")

    done = project("test", "over_time")

    assert (done.code, done.err.strip()) == (0, "1 test, 1 passed"), done.out
    traced = project.ok("lineage", "mine.gold.over_time", "--column", "best")
    assert "mine.gold.over_time__delta  best    the fold of its slices" in traced
