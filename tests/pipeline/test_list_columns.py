"""Columns of lists: JSON in the lake, a list for who asks."""

from __future__ import annotations

import yaml

from gamelake.jobs.local import run_now
from gamelake.layouts.cases import load_cases
from gamelake.pipeline.cases import CaseRunner
from gamelake.pipeline.execute import RunRequest
from modes_project import create, import_days, open_modes

BADGES = """/* ---
description: Badges of each player
inputSources: [{name: raw, dataset: toy.bronze.raw}]
outputs:
  - slice: [day]
    grain: [player]
    schema: {day: date, player: text, badges: "list<text>", why: json}
--- */
SELECT day, player,
  CASE WHEN score > 9 THEN '["gold", "tall \\"x\\""]' WHEN score > 5 THEN '["gold"]' WHEN score > 1 THEN '[]' END
    AS badges,
  concat('{"score": ', CAST(score AS VARCHAR), '}') AS why
FROM raw
"""
DAYS = {"2026-01-01": [("p1", 10, None), ("p2", 6, None), ("p3", 2, None), ("p4", 1, None)]}


def test_a_list_is_shown_as_one(tmp_path) -> None:
    with open_modes(create(tmp_path, {"gold/badges": BADGES})) as project:
        import_days(project, DAYS)
        assert run_now(project, RunRequest()).error is None

        with project.connect() as connection:
            rows = connection.sql("SELECT badges, why FROM toy.gold.badges ORDER BY player").fetchall()
            long = connection.sql("SELECT player FROM toy.gold.badges WHERE len(badges) > 1").fetchall()

    assert [badges for badges, _ in rows] == [["gold", 'tall "x"'], ["gold"], [], None]
    assert rows[0][1] == '{"score": 10}'
    assert long == [("p1",)]


def test_a_test_of_a_layout_writes_and_expects_lists(tmp_path) -> None:
    case = {
        "layout": "toy.gold.badges",
        "tests": [
            {
                "name": "badges by score",
                "slice": {"day": "2026-01-01"},
                "inputs": {"raw": [{"player": f"p{n}", "score": n} for n in (1, 2, 6)]},
                "prior": [{"day": "2026-01-02", "player": "p9", "badges": ["old"]}],
                "expect": {
                    "columns": ["player", "badges"],
                    "rows": [
                        {"player": "p1"},
                        {"player": "p2", "badges": []},
                        {"player": "p6", "badges": ["gold"]},
                        {"day": "2026-01-02", "player": "p9", "badges": ["old"]},
                    ],
                },
            }
        ],
    }
    file = tmp_path / "badges.yaml"
    file.write_text(yaml.safe_dump(case))
    with (
        open_modes(create(tmp_path, {"gold/badges": BADGES})) as project,
        CaseRunner(project.graph, project.settings) as runner,
    ):
        cases = load_cases([file])
        runner.verify(cases)
        (verdict,) = [runner.run(case) for case in cases]

    assert verdict.passed, (verdict.problem, verdict.difference)
