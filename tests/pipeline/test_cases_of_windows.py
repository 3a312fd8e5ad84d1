"""Tests of layouts that read several days, other columns' slices, and other systems."""

from __future__ import annotations

import yaml

from gamelake.layouts.cases import load_cases
from gamelake.pipeline.cases import CaseRunner
from modes_project import create, open_modes

WINDOW = """/* ---
description: Players of three days, with their names
inputSources:
  - {name: raw, dataset: toy.bronze.raw, slice: {day: last}, lookback: 2}
  - {name: names, type: file, path: names.csv, format: csv, schema: {player: text, name: text}}
outputs:
  - slice: {last_day: last}
    grain: [player]
    schema: {last_day: date, player: text, name: text, days: bigint not null}
--- */
SELECT {{ last | day }} AS last_day, raw.player, max(names.name) AS name, count(DISTINCT raw.day) AS days
FROM raw LEFT JOIN names ON names.player = raw.player
GROUP BY raw.player
"""


def verdict(folder, inputs, expected):
    case = {
        "name": "a window",
        "slice": {"last_day": "2026-01-03"},
        "inputs": inputs,
        "expect": {"rows": expected},
    }
    file = folder / "window.yaml"
    file.write_text(yaml.safe_dump({"layout": "toy.gold.window", "tests": [case]}))
    root = create(folder / "toy", {"gold/window": WINDOW})
    with open_modes(root) as project, CaseRunner(project.graph, project.settings) as runner:
        cases = load_cases([file])
        runner.verify(cases)
        return runner.run(cases[0])


def test_days_that_a_test_leaves_out_are_empty_and_rows_have_the_day_under_test(tmp_path) -> None:
    raw = [{"player": "p1", "score": 1}, {"day": "2026-01-01", "player": "p1", "score": 1}]
    raw += [{"day": day, "player": "p2", "score": 1} for day in ("2025-12-31", "2026-01-04")]

    found = verdict(
        tmp_path,
        {"raw": raw, "names": [{"player": "p1", "name": "Ann"}]},
        [{"player": "p1", "name": "Ann", "days": 2}],
    )

    assert found.passed, (found.problem, found.difference)
