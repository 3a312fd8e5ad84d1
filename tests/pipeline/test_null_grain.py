"""Grain columns that may be null, where the layout says so."""

from __future__ import annotations

import pytest

from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from modes_project import create, import_days, open_modes

BY_GUILD = """/* ---
description: Players of each guild and day
inputSources: [{name: raw, dataset: toy.bronze.raw}]
outputs:
  - slice: [day]
    grain: [day, guild]
    schema: {day: date, guild: {type: text, nullable: true}, players: bigint not null}
--- */
SELECT day, guild, count(*) AS players FROM raw GROUP BY day, guild
"""
DAYS = {"2026-01-01": [("p1", 1, None), ("p2", 1, None), ("p3", 1, "a")]}


def test_a_null_is_a_value_like_any_other(tmp_path) -> None:
    with open_modes(create(tmp_path, {"gold/guilds": BY_GUILD})) as project:
        import_days(project, DAYS)

        assert run_now(project, RunRequest()).error is None
        with project.connect() as connection:
            rows = connection.sql(
                "SELECT guild, players FROM toy.gold.guilds ORDER BY ALL NULLS LAST"
            ).fetchall()
        assert rows == [("a", 1), (None, 2)]


def test_two_rows_whose_grain_is_null_are_told(tmp_path) -> None:
    repeated = BY_GUILD.replace("count(*) AS players", "1 AS players").replace(" GROUP BY day, guild", "")
    with open_modes(create(tmp_path, {"gold/guilds": repeated})) as project:
        import_days(project, DAYS)

        assert "grain is unique" in str(run_now(project, RunRequest()).error)


def test_folding_needs_values(tmp_path) -> None:
    root = create(tmp_path, {"gold/guilds": BY_GUILD.replace("  - slice", "  - mode: merge\n    slice")})

    with pytest.raises(
        LayoutError, match="`merge` finds the rows of a grain by its values, and `guild` may be null"
    ):
        open_modes(root)
