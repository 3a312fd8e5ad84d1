"""`gamelake check --history` and the checks in `status`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CHECKED = """/* ---
description: Scores with two checks
inputSources:
  - {name: scores, dataset: toy.bronze.scores}
outputs:
  - slice: [day]
    schema: {day: date, player: text not null, score: bigint not null}
checks:
  - {kind: range, column: score, max: 5, severity: warn}
  - {kind: row_count, min: 1}
--- */
SELECT day, player, score FROM scores
"""


@pytest.fixture
def checked(gamelake):
    gamelake.ok("init", "project", "--pack", "toy", "--name", "Toys")
    gamelake.folder /= "project"
    folder = Path(gamelake.folder) / "layouts" / "mine" / "gold"
    folder.mkdir(parents=True)
    (folder / "checked.sql").write_text(CHECKED)
    gamelake.ok("toy", "load", "2026-01-01", "ann=9", "bob=5")
    gamelake.ok("run")
    gamelake.ok("toy", "load", "2026-01-02", "ann=1")
    gamelake.ok("run")
    return gamelake


def test_the_history_of_a_check_shows_its_last_trouble(checked) -> None:
    told = json.loads(checked.ok("check", "mine.gold.checked", "--history", "--json"))
    line = next(
        row for row in checked.ok("check", "mine.gold.checked", "--history").splitlines() if "range" in row
    )

    ranged = next(each for each in told["history"] if each["kind"] == "range")
    assert [result["passed"] for result in ranged["results"]] == [True, False]
    assert ranged["now"] == "passed"
    assert ranged["last_trouble"]["sample"] == [{"day": "2026-01-01", "player": "ann", "score": 9}]
    assert "!✓" in line
    assert "day=2026-01-01: 1" in line


def test_status_counts_checks_in_trouble(checked) -> None:
    told = json.loads(checked.ok("status", "--json"))

    mine = next(each for each in told["datasets"] if each["dataset"] == "mine.gold.checked")
    assert (mine["checks"]["failed"], mine["checks"]["warned"]) == (0, 1)
    assert (mine["checks"]["last"]["slice"], mine["checks"]["last"]["value"]) == ("day=2026-01-01", 1)
    assert "1 warn: range(score)" in checked.ok("status")
