"""The pack's layouts load, and each table has one row per grain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gamelake.games.wow import datasets
from gamelake.games.wow.standalone import LAYOUTS
from gamelake.layouts.load import load_folder
from gamelake.model.schema import Schema
from games.wow.raid_logs import GOLD, raid_project, rows_of, second_recorder, simulated, write

STEPS = {step.name: step for step in load_folder(LAYOUTS, "wow")}
OUTPUTS = [*datasets.SILVER, datasets.COMBATLOG, datasets.LOGS, *(s.outputs[0] for s in STEPS.values())]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Three nights, one of them logged by two players."""
    folder = tmp_path_factory.mktemp("layouts")
    log = simulated(seed=5, nights=3, pulls=2)
    with raid_project(folder / "project") as project:
        project.add(write(folder, "a.txt", log), write(folder, "b.txt", second_recorder(log)))
        yield project


def test_every_gold_table_has_a_layout():
    assert sorted(STEPS) == [f"wow.gold.{name}" for name in GOLD]


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_layout_says_what_it_makes(step):
    (output,) = step.outputs

    assert output.description
    assert output.grain
    assert set(output.grain) <= set(output.schema.names)


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: str(output.dataset))
def test_the_grain_is_unique(project, output):
    grain = ", ".join(output.grain)

    twice = project.rows(f"SELECT {grain}, count(*) FROM {output.dataset} GROUP BY ALL HAVING count(*) > 1")

    assert twice == []
    if output is not datasets.QUARANTINE:
        assert project.rows(f"SELECT count(*) > 0 FROM {output.dataset}") == [(True,)]


def test_facts_hold_every_player_of_every_pull(project):
    counted = project.rows("SELECT count(*), count(DISTINCT raid_id) FROM wow.silver.pulls WHERE counted")

    assert counted == project.rows("SELECT count(*), count(DISTINCT raid_id) FROM wow.gold.fact_raid_summary")
    assert project.rows("SELECT count(*) FROM wow.silver.combatants") == project.rows(
        "SELECT count(*) FROM wow.gold.fact_player_raid_stats"
    )


def test_totals_of_a_pull_are_the_sums_of_its_players(project):
    different = project.rows(
        """SELECT pulls.raid_id FROM wow.gold.fact_raid_summary AS pulls JOIN (
            SELECT raid_id, encounter_id, pull_no, sum(damage) AS damage, sum(healing) AS healing, sum(deaths) AS deaths
            FROM wow.gold.fact_player_raid_stats GROUP BY ALL) AS players
        USING (raid_id, encounter_id, pull_no)
        WHERE (total_damage, total_healing, pulls.deaths) <> (players.damage, players.healing, players.deaths)"""
    )

    assert different == []


def test_damage_of_simulated_bosses_is_conserved(project):
    with project.project.connect() as connection:
        errors = rows_of(connection, "SELECT DISTINCT conservation_error FROM wow.gold.fact_raid_summary")

    assert errors == [(0.0,)]


def test_a_table_of_an_older_schema_takes_new_columns(tmp_path):
    older = datasets.COMBATANTS.schema
    before = replace(
        datasets.COMBATANTS, schema=Schema(tuple(c for c in older.columns if c.name != "active_ms"))
    )
    with raid_project(tmp_path / "project") as project:
        project.project.lake.ensure_table(before)
        project.add(write(tmp_path, "a.txt", simulated(seed=5, nights=1, pulls=1)))

        assert project.project.lake.schema("wow.silver.combatants").names == older.names
        assert project.rows("SELECT sum(active_ms) > 0 FROM wow.silver.combatants") == [(True,)]
