"""The shared real logs: every expected figure, and what makes each of them odd."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from gamelake.games.wow.report import RaidReport
from gamelake.games.wow.standalone import open_logs
from games.wow.raid_logs import raid_project

pytestmark = pytest.mark.real

ARAZ = "enc-3132-pull-1-forgeweaver-araz.log.gz"
FRACTILLUS = "enc-3133-pull-1-fractillus.log.gz"
DIMENSIUS = [f"enc-3135-pull-{pull}-dimensius-the-all-devouring.log.gz" for pull in (1, 2, 3)]
PULLS = [ARAZ, FRACTILLUS, *DIMENSIUS]
TORGHAST = "torghast-20210103-full.log.gz"
ARENA = "tbc-arena-multiple-matches.log.gz"

FIGURES = {
    "damage": "damage_amount_incl_pets",
    "healing": "heal_effective_incl_pets",
    "overhealing": "overheal_incl_pets",
    "absorbs": "absorb_granted",
    "damage_taken": "damage_taken_amount",
    "deaths": "deaths",
    "casts": "casts",
}


@pytest.fixture(scope="module")
def facts(real_logs):
    return json.loads((real_logs / "expected_facts.json").read_text(encoding="utf-8"))["files"]


@pytest.fixture(scope="module")
def summaries(real_logs):
    """What `raid report --json` says of each file alone."""
    found = {}
    for name in [*PULLS, TORGHAST, ARENA]:
        with open_logs([real_logs / name], year=2021) as (connection, files):
            found[name] = RaidReport(connection).summary()
            found[name]["pending"] = files[0].pending
    return found


@pytest.mark.parametrize("name", PULLS)
class TestFigures:
    def test_every_figure_of_every_player_is_the_expected_one(self, summaries, facts, name):
        (found,), (expected,) = summaries[name]["encounters"], facts[name]

        assert {
            player["guid"]: {"name": player["name"], "spec_id": player["spec_id"], **{key: player[key] for key in FIGURES}}
            for player in found["players"]
        } == {
            guid: {"name": player["name"], "spec_id": player["spec_id"],
                   **{key: player.get(long, 0) for key, long in FIGURES.items()}}
            for guid, player in expected["players"].items()
        }  # fmt: skip

    def test_the_encounter_is_the_expected_one(self, summaries, facts, name):
        (found,), (expected,) = summaries[name]["encounters"], facts[name]

        for key in ("encounter_id", "name", "difficulty_id", "group_size", "instance_id", "success"):
            assert found[key] == expected[key]
        assert found["duration_ms"] == expected["fight_ms"]
        assert [death["name"] for death in found["deaths"]] == [dead[0] for dead in expected["player_deaths"]]

    def test_every_line_is_accounted_for(self, summaries, name):
        log = summaries[name]["log"]

        assert log["total"] == log["events"] + log["context"] + log["ignored"] + log["quarantined"]
        assert (log["quarantined"], log["dialect"]) == (0, "v22")


class TestOddities:
    def test_damage_is_conserved(self, summaries):
        errors = [summaries[name]["encounters"][0]["conservation_error"] for name in PULLS]

        assert errors[1:] == [0.0, None, None, None]
        assert 0 < abs(errors[0]) <= 1e-4

    def test_a_wipe_may_have_no_damage_by_players(self, summaries):
        (wipe,) = summaries[DIMENSIUS[0]]["encounters"]

        assert not wipe["success"]
        assert {player["damage"] for player in wipe["players"]} == {0}
        silent = [player for player in wipe["players"] if player["name"] is None]
        assert len(silent) == 1
        assert {silent[0][key] for key in FIGURES} == {0}

    def test_the_name_of_a_boss_may_hold_a_comma(self, summaries):
        names = {summaries[name]["encounters"][0]["name"] for name in DIMENSIUS}

        assert names == {"Dimensius, the All-Devouring"}

    def test_each_of_many_deaths_has_a_killing_blow(self, summaries):
        deaths = summaries[DIMENSIUS[2]]["encounters"][0]["deaths"]

        assert len(deaths) == 20
        assert all(death["killing_blow"]["overkill"] > 0 for death in deaths)
        assert deaths == sorted(deaths, key=lambda death: death["at_ms"])

    @pytest.mark.parametrize(("name", "dialect", "total"), [(TORGHAST, "v17", 14674), (ARENA, "v9", 3228)])
    def test_older_dialects_have_no_encounter_and_no_bad_line(self, summaries, name, dialect, total):
        log = summaries[name]["log"]

        assert summaries[name]["encounters"] == []
        assert (log["dialect"], log["total"], log["quarantined"]) == (dialect, total, 0)
        assert log["total"] == log["events"] + log["context"] + log["ignored"]

    def test_a_log_without_a_last_line_end_keeps_it_pending(self, summaries):
        assert summaries[ARENA]["pending"] > 0
        assert summaries[FRACTILLUS]["pending"] == 0


@pytest.fixture(scope="module")
def nights(real_logs, tmp_path_factory):
    """Gold of one project after all five pulls, after all of them again, and of one that got them in another order."""
    folder = tmp_path_factory.mktemp("real")
    paths = [real_logs / name for name in PULLS]
    with raid_project(folder / "one") as project:
        project.add(*paths)
        first = project.gold()
        again = project.add(*paths)
        second = project.gold()
    with raid_project(folder / "two") as project:
        project.add(paths[3])
        for path in (paths[0], paths[4], paths[2], paths[1]):
            project.take(path)
        project.refine()
        other = project.gold()
    return first, second, other, again


class TestNight:
    def test_twenty_four_players_raided_once(self, nights):
        _, _, other, _ = nights

        assert Counter(row[-2:] for row in other["dim_player"]) == {(1, 5): 23, (1, 2): 1}
        assert all(row[1] for row in other["dim_player"])

    def test_importing_again_changes_nothing(self, nights):
        first, second, _, again = nights

        assert second == first
        assert {one.state for one in again} == {"unchanged"}

    def test_the_order_of_imports_does_not_matter(self, nights):
        first, _, other, _ = nights

        assert other == first

    def test_five_files_are_one_raid(self, nights):
        first, *_ = nights

        assert len(first["dim_raid"]) == 1
        assert len(first["fact_raid_summary"]) == 5
