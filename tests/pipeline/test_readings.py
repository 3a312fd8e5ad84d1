"""How inputs are read: single days, spans that a variable holds, and tables of current state."""

from __future__ import annotations

import pytest

from gamelake.errors import LayoutError
from gamelake.jobs.local import run_now
from gamelake.model.slices import Slice
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from modes_project import DAILY, create, import_days, open_modes, write

BACK = """/* ---
description: Who of a day's players came back one and three days later
inputSources:
  - {name: today, dataset: toy.silver.daily}
  - {name: later, dataset: toy.silver.daily, slice: {day: day}, days: [1, 3]}
outputs:
  - slice: [day]
    grain: [later_day]
    on_empty: clear
    schema: {day: date, later_day: date, players: bigint not null}
--- */
SELECT {{ day | day }} AS day, later.day AS later_day, count(*) AS players
FROM later INNER JOIN today ON today.player = later.player
GROUP BY later.day
"""
WINDOW = """/* ---
description: Players of some days
inputSources: [{name: daily, dataset: toy.silver.daily, lookback: window - 1}]
variables: {window: {type: int, default: 2}}
outputs:
  - slice: [day]
    grain: [player]
    schema: {day: date, player: text}
--- */
SELECT DISTINCT {{ day | day }} AS day, player FROM daily
"""
NAMES = """/* ---
description: Guild of each player, as it is now
inputSources: [{name: raw, dataset: toy.bronze.raw}]
outputs:
  - grain: [player]
    allow_shrink: 0
    schema: {player: text, guild: text}
--- */
SELECT player, max(guild) AS guild FROM raw GROUP BY player
"""
BY_GUILD = """/* ---
description: Scores with the guild of now
inputSources:
  - {name: daily, dataset: toy.silver.daily}
  - {name: names, dataset: toy.silver.names, current_state: true}
outputs:
  - slice: [day]
    grain: [player]
    schema: {day: date, player: text, guild: text}
--- */
SELECT daily.day, daily.player, names.guild FROM daily LEFT JOIN names ON names.player = daily.player
"""


def days_of(project, sql: str) -> list[tuple]:
    with project.connect() as connection:
        return connection.sql(sql).fetchall()


def built(result, step: str) -> list[str]:
    return [str(part) for found in result.steps if found.step == step for part in found.built]


def test_single_days_are_read_and_only_they_make_stale(tmp_path) -> None:
    root = create(tmp_path, {"silver/daily": DAILY, "gold/back": BACK})
    days = {f"2026-01-0{n}": [(f"p{player}", 1, None) for player in range(n)] for n in range(1, 5)}
    with open_modes(root) as project:
        import_days(project, days)
        assert run_now(project, RunRequest()).error is None
        seen = days_of(project, "SELECT day(day), day(later_day), players FROM toy.gold.back ORDER BY ALL")
        assert seen == [(1, 2, 1), (1, 4, 1), (2, 3, 2), (3, 4, 3)]

        import_days(project, {"2026-01-05": [("p0", 1, None)]})
        result = run_now(project, RunRequest())

        assert result.error is None
        assert built(result, "toy.gold.back") == ["day=2026-01-02", "day=2026-01-04", "day=2026-01-05"]


def test_a_variable_holds_the_days_of_a_window(tmp_path) -> None:
    root = create(tmp_path, {"silver/daily": DAILY, "gold/window": WINDOW})
    days = {f"2026-01-0{n}": [(f"p{n}", 1, None)] for n in range(1, 5)}
    last = "SELECT player FROM toy.gold.window WHERE day = DATE '2026-01-04' ORDER BY ALL"
    with open_modes(root) as project:
        import_days(project, days)
        run_now(project, RunRequest())
        assert days_of(project, last) == [("p3",), ("p4",)]

        result = run_now(project, RunRequest(variables={"window": "3"}))
        assert result.error is None
        assert days_of(project, last) == [("p2",), ("p3",), ("p4",)]
        with pytest.raises(LayoutError, match="`window` is 0, which makes `lookback` -1"):
            plan(project_with(project, "0"))


def project_with(project, window: str):
    from gamelake.pipeline.variables import apply

    apply(project, {"window": window}, None, None)
    return project


def test_a_span_follows_only_declared_numbers(tmp_path) -> None:
    root = create(tmp_path, {"silver/daily": DAILY, "gold/window": WINDOW.replace("window - 1", "windw - 1")})

    with pytest.raises(LayoutError, match=r"`lookback` follows `windw`, which is no variable of type `int`"):
        open_modes(root)
    write(root, "gold/window", WINDOW.replace("lookback: window - 1", "lookback: 1, days: [1]"))
    with pytest.raises(LayoutError, match="`days` lists the days one by one"):
        open_modes(root)


def test_a_table_of_current_state_makes_no_slice_stale_and_its_version_is_noted(tmp_path) -> None:
    root = create(tmp_path, {"silver/daily": DAILY, "silver/names": NAMES, "gold/by_guild": BY_GUILD})
    with open_modes(root) as project:
        import_days(project, {"2026-01-01": [("p1", 1, "a")]})
        run_now(project, RunRequest())
        import_days(project, {"2026-01-02": [("p1", 1, "b")]})
        states = {str(i.slice): i.state.value for i in plan(project).items if i.step == "toy.gold.by_guild"}
        run_now(project, RunRequest())

        seen = "SELECT day(day), guild FROM toy.gold.by_guild ORDER BY ALL"
        assert states == {"day=2026-01-01": "fresh", "day=2026-01-02": "missing"}
        assert days_of(project, seen) == [(1, "a"), (2, "b")]
        run_now(project, RunRequest(("toy.gold.by_guild",), slices=(Slice.of(day="2026-01-01"),), force=True))
        assert days_of(project, seen) == [(1, "b"), (2, "b")]
        current = project.ledger.current("toy.gold.by_guild")
        assert {v.inputs["toy.silver.names"]["all"] for v in current.values()} == {2}
