"""A project of own layouts over the toy pack's scores: seven jobs that share an input, and some that need more of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gamelake.cli.main import main

_SLICED = """/* ---
description: {about}
inputSources: [{{name: clean, dataset: ours.silver.clean{reading}}}]
outputs:
  - slice: {{day: logDate}}
    grain: [{grain}]
    {mode}schema: {{day: date, player: text, {column}: bigint not null}}
--- */
{sql}
"""
CLEAN = """/* ---
description: Scores that count
inputSources: [{name: scores, dataset: toy.bronze.scores}]
outputs:
  - slice: {day: logDate}
    grain: [day, player]
    schema: {day: date, player: text, score: bigint not null}
--- */
SELECT day, player, max(score) AS score FROM scores WHERE score > 0 GROUP BY day, player
"""
TOTAL = """description: Score up to a day
inputSources: [{name: clean, dataset: ours.silver.clean}]
carries: true
outputs:
  - slice: {day: logDate}
    grain: [day, player]
    schema: {day: date, player: text, total: bigint not null}
transformSql: |
  SELECT {{ logDate | day }} AS day, player, CAST(sum(n) AS BIGINT) AS total
  FROM (SELECT player, total AS n FROM previous UNION ALL SELECT player, score FROM clean)
  GROUP BY player
"""
JOBS = "abcdefg"


def create(folder: Path) -> Path:
    """Write the project's files."""
    silver, gold = folder / "layouts/ours/silver", folder / "layouts/ours/gold"
    silver.mkdir(parents=True)
    gold.mkdir()
    (folder / "gamelake.toml").write_text('packs = ["toy"]\nzone = "Asia/Ho_Chi_Minh"\n')
    (silver / "clean.sql").write_text(CLEAN)
    (gold / "total.yaml").write_text(TOTAL)
    plain = {"reading": "", "mode": "", "grain": "day, player"}
    for job in JOBS:
        sql = f"SELECT day, player, score AS {job} FROM clean"
        text = _SLICED.format(**plain, about=f"Job {job}", column=job, sql=sql)
        (gold / f"{job}.sql").write_text(text)
    (gold / "window.sql").write_text(
        _SLICED.format(
            **{**plain, "reading": ", lookback: 2, on_missing: empty"},
            about="Best of three days",
            column="best",
            sql="SELECT {{ logDate | day }} AS day, player, max(score) AS best FROM clean GROUP BY player",
        )
    )
    (gold / "latest.sql").write_text(
        _SLICED.format(
            **{**plain, "mode": "mode: merge\n    ", "grain": "player"},
            about="Last score of each player",
            column="score",
            sql="SELECT day, player, score FROM clean",
        )
    )
    return folder


def call(folder: str, arguments: list[str]) -> None:
    """Child: one command in a folder."""
    os.chdir(folder)
    with Path(os.devnull).open("w") as nothing:
        sys.stdout = sys.stderr = nothing
        main(arguments)
