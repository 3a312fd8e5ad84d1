"""The simulator tells the truth about its own logs, and writes them as the game does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from gamelake.errors import UserError
from gamelake.games.wow.simulate import WowSimulator
from gamelake.games.wow.simulate.cli import app
from gamelake.games.wow.simulate.encounters import BOSSES
from reference import combatlog

V22_FIELDS = {
    "SPELL_DAMAGE": {42},
    "SPELL_PERIODIC_DAMAGE": {42},
    "RANGE_DAMAGE": {42},
    "DAMAGE_SPLIT": {42},
    "SWING_DAMAGE": {38},
    "SWING_DAMAGE_LANDED": {38},
    "ENVIRONMENTAL_DAMAGE": {39},
    "SPELL_HEAL": {36},
    "SPELL_PERIODIC_HEAL": {36},
    "SPELL_ENERGIZE": {35},
    "SPELL_CAST_SUCCESS": {31},
    "SPELL_ABSORBED": {19, 22},
    "SPELL_SUMMON": {12},
    "UNIT_DIED": {10},
    "COMBATANT_INFO": {34},
    "ENCOUNTER_START": {6},
    "ENCOUNTER_END": {7},
}
OLDER_FIELDS = {
    "v20": {
        "SPELL_DAMAGE": 39,
        "SWING_DAMAGE": 36,
        "SPELL_HEAL": 34,
        "SPELL_ENERGIZE": 33,
        "SPELL_CAST_SUCCESS": 29,
    },
    "v17": {
        "SPELL_DAMAGE": 39,
        "SWING_DAMAGE": 36,
        "SPELL_HEAL": 34,
        "SPELL_ENERGIZE": 33,
        "SPELL_CAST_SUCCESS": 29,
    },
    "v9": {
        "SPELL_DAMAGE": 38,
        "SWING_DAMAGE": 35,
        "SPELL_HEAL": 33,
        "SPELL_ENERGIZE": 32,
        "SPELL_CAST_SUCCESS": 28,
    },
}


def digest(folder) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


class TestTruth:
    def test_the_figures_of_every_player_are_those_that_are_read(self, season):
        for read, told in season.pulls():
            assert set(read.players) == set(told["players"])
            for guid, figures in told["players"].items():
                assert {key: read.players[guid].figures[key] for key in figures} == figures

    def test_pulls_are_those_that_are_read(self, season):
        keys = (
            "encounter_id",
            "name",
            "difficulty_id",
            "group_size",
            "instance_id",
            "success",
            "duration_ms",
        )

        for read, told in season.pulls():
            assert {key: getattr(read, key) for key in keys} == {key: told[key] for key in keys}
            started = datetime.fromtimestamp(combatlog.utc_ms(read.start) / 1000, tz=UTC)
            assert started.isoformat(timespec="milliseconds") == told["started_at"]

    def test_deaths_and_killing_blows_are_those_that_are_read(self, season):
        for read, told in season.pulls():
            assert [vars(death) for death in read.deaths] == told["deaths"]

    def test_damage_to_the_boss_is_its_lost_health_exactly(self, season):
        for read, told in season.pulls():
            assert read.conservation_error == 0.0
            boss = told["boss"]
            hits = [
                line
                for line in read.lines
                if line.name in combatlog.DAMAGE and line.fields[5] == boss["guid"]
            ]
            done = sum(int(line.suffix[0]) + int(line.suffix[6]) for line in hits)
            assert done == boss["max_health"] - boss["last_health"]

    def test_raids_and_pulls_of_a_player_are_counted(self, season):
        raids, pulls = Counter(), Counter()
        for reading in season.readings:
            raids.update({guid for encounter in reading.encounters for guid in encounter.players})
            pulls.update(guid for encounter in reading.encounters for guid in encounter.players)

        assert {
            row["guid"]: (row["total_raids"], row["total_pulls"]) for row in season.truth["players_seen"]
        } == {guid: (raids[guid], pulls[guid]) for guid in pulls}

    def test_nothing_is_quarantined_and_everything_accounted_for(self, season):
        for reading in season.readings:
            log = reading.report()["log"]

            assert log["total"] == log["events"] + log["context"] + log["ignored"]
            assert (log["quarantined"], log["dialect"], reading.pending_bytes) == (0, "v22", 0)


class TestSameBytes:
    SCRIPT = (
        "import sys; from pathlib import Path; from gamelake.games.wow.simulate import WowSimulator;"
        "WowSimulator(seed=5, nights=2, pulls=2, scale=0.3).write(Path(sys.argv[1]))"
    )
    KNOWN = "ba689c7b12d4cc07e2ca8b1baf01f8cda0edc0fff54b0d90e17496a2122c7433"

    def test_the_bytes_depend_on_the_seed_alone(self, tmp_path):
        digests = set()
        for hash_seed in ("0", "1", "4711"):
            folder = tmp_path / hash_seed
            subprocess.run(
                [sys.executable, "-c", self.SCRIPT, str(folder)],
                check=True,
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
            )
            digests.add(digest(folder))

        assert digests == {self.KNOWN}

    def test_another_seed_writes_other_bytes_about_the_same_people(self, tmp_path):
        first, second = (WowSimulator(seed=seed, nights=1, pulls=1, scale=0.3) for seed in (5, 6))
        first.write(tmp_path / "first")
        second.write(tmp_path / "second")

        assert digest(tmp_path / "first") != digest(tmp_path / "second")
        assert [member.guid for member in first.roster.core] == [member.guid for member in second.roster.core]

    def test_another_guild_has_other_people(self):
        guilds = (WowSimulator(guild=guild).roster.core for guild in ("Lantern Bearers", "Night Shift"))
        ours, theirs = ({member.guid for member in core} for core in guilds)

        assert ours.isdisjoint(theirs)


class TestLines:
    def test_every_line_ends_as_the_client_ends_it(self, season):
        for night in season.nights:
            data = night.path.read_bytes()
            assert data.endswith(b"\r\n")
            assert data.count(b"\n") == data.count(b"\r\n")

    def test_field_counts_are_those_of_the_format(self, season):
        counts: dict[str, set[int]] = {}
        for reading in season.readings:
            for line in reading.lines:
                counts.setdefault(line.name, set()).add(len(line.fields))

        assert {name: counts[name] for name in V22_FIELDS if name in counts} == {
            name: fields for name, fields in V22_FIELDS.items() if name in counts
        }
        assert set(V22_FIELDS) - set(counts) <= {"RANGE_DAMAGE"}

    def test_time_never_goes_back(self, season):
        for reading in season.readings:
            times = [line.local for line in reading.lines]
            assert times == sorted(times)

    def test_the_specialisation_stands_at_index_25(self, season):
        specs = {row["guid"]: str(row["spec_id"]) for row in season.truth["players_seen"]}

        for reading in season.readings:
            infos = [line for line in reading.lines if line.name == "COMBATANT_INFO"]
            assert all(line.fields[25] == specs[line.fields[1]] for line in infos)


class TestAssumptionsToBreak:
    def test_identical_lines_repeat_also_heals(self, season):
        repeated = {line for line, count in Counter(season.lines).items() if count > 1}

        assert len(repeated) > 50
        assert any("SPELL_PERIODIC_HEAL" in line for line in repeated)
        assert any("SPELL_ENERGIZE" in line for line in repeated)

    def test_names_are_not_all_latin_and_bosses_have_commas(self, season):
        text = "\n".join(season.lines)

        assert any("А" <= letter <= "я" for letter in text)
        assert '"Sorrel, Keeper of Tides"' in text

    def test_pets_hit_before_anything_says_whose_they_are(self, season):
        late = 0
        for reading in season.readings:
            first_hit: dict[str, int] = {}
            first_link: dict[str, int] = {}
            for line in reading.lines:
                if line.name == "SPELL_SUMMON":
                    first_link.setdefault(line.fields[5], line.number)
                elif line.advanced and line.advanced[1] != combatlog.NOBODY:
                    first_link.setdefault(line.advanced[0], line.number)
                if line.name in combatlog.DAMAGE_DONE:
                    first_hit.setdefault(line.fields[1], line.number)
            late += sum(first_hit.get(pet, link) < link for pet, link in first_link.items())

        assert late > 0

    def test_permanent_pets_are_never_summoned_and_some_pets_have_pets(self, season):
        for reading in season.readings:
            summons = {
                line.fields[5]: line.fields[1] for line in reading.lines if line.name == "SPELL_SUMMON"
            }
            pets = {pet for pet in reading.owners if pet.startswith("Pet-")}

            assert pets
            assert pets.isdisjoint(summons)
            assert all(reading.owners[pet].startswith("Player-") for pet in summons)
        assert any(owner.startswith("Creature-") for owner in summons.values())

    def test_the_unconscious_are_not_dead(self, season):
        unconscious = [
            line
            for reading in season.readings
            for line in reading.lines
            if line.name == "UNIT_DIED" and line.fields[9] == "1"
        ]

        assert unconscious
        assert all(line.kind == "context" for line in unconscious)

    def test_the_dead_are_called_back(self, season):
        back = 0
        for read, told in season.pulls():
            revived = {line.fields[5] for line in read.lines if line.name == "SPELL_RESURRECT"}
            back += len(revived)
            assert revived <= {death["guid"] for death in told["deaths"]}

        assert back > 0

    def test_every_boss_line_of_the_fight_is_before_the_last_millisecond(self, season):
        """Lines at END's time come after END only, so that log order and time agree on what a pull is."""
        for reading in season.readings:
            ends = {line.local: line.number for line in reading.lines if line.name == "ENCOUNTER_END"}
            assert all(line.number >= ends[line.local] for line in reading.lines if line.local in ends)

    def test_somebody_in_the_group_does_nothing(self, season):
        players = [figures for _, told in season.pulls() for figures in told["players"].values()]

        assert any(not any(figures.values()) for figures in players)


def test_twelve_nights_tell_a_story():
    """Wipes and kills, a reset without any damage, nights past midnight, a harder difficulty in the end."""
    plans = WowSimulator().plans()
    pulls = [pull for plan in plans for pull in plan.pulls]

    assert len(plans) == 12
    assert all(plan.pulls for plan in plans)
    assert {pull.boss for pull in pulls} == set(BOSSES)
    assert 0.3 < sum(pull.kill for pull in pulls) / len(pulls) < 0.8
    assert any(pull.reset for pull in pulls)
    assert any(plan.start_minute > 22 * 60 for plan in plans)
    assert plans[-1].pulls[0].difficulty_id > plans[0].pulls[0].difficulty_id
    assert all(plan.day.weekday() < 5 for plan in plans)


def test_a_reset_has_no_damage_by_players(tmp_path):
    simulator = WowSimulator(nights=7, scale=0.2)
    plan = next(plan for plan in simulator.plans() if any(pull.reset for pull in plan.pulls))
    at = next(at for at, pull in enumerate(plan.pulls) if pull.reset)
    log: list[bytes] = []

    told = simulator.play(plan, log.append, "night.txt").pulls[at]

    read = combatlog.read(b"".join(log)).encounters[at]
    assert told.duration_ms < 30_000
    assert not told.success
    assert sum(figures["damage_amount_incl_pets"] for figures in told.players.values()) == 0
    assert read.conservation_error == 0.0


@pytest.mark.parametrize("dialect", ["v20", "v17", "v9"])
def test_older_dialects_tell_the_same_fights(tmp_path, dialect):
    settings = {"seed": 9, "nights": 1, "pulls": 3, "scale": 0.4}
    WowSimulator(**settings).write(tmp_path / "new")
    (night,) = WowSimulator(**settings, dialect=dialect).write(tmp_path / "old")

    new = combatlog.read((tmp_path / "new" / night.path.name).read_bytes())
    old = combatlog.read(night.path.read_bytes(), year=2026)

    assert (old.dialect, old.quarantined, old.total) == (dialect, [], new.total)
    for old_pull, new_pull in zip(old.encounters, new.encounters, strict=True):
        assert {guid: player.figures for guid, player in old_pull.players.items()} == {
            guid: player.figures for guid, player in new_pull.players.items()
        }
        assert old_pull.duration_ms == new_pull.duration_ms
        assert old_pull.conservation_error == (None if dialect == "v9" else 0.0)
    for line in old.lines:
        assert len(line.fields) == OLDER_FIELDS[dialect].get(line.name, len(line.fields))


def test_one_file_holds_all_nights(tmp_path):
    out = tmp_path / "season.txt"

    nights = WowSimulator(seed=3, nights=2, pulls=2, scale=0.3).write(out)

    reading = combatlog.read(out.read_bytes())
    assert {night.path for night in nights} == {out}
    assert sum(night.bytes for night in nights) == out.stat().st_size
    assert len(reading.encounters) == 4
    assert json.loads((tmp_path / "season.truth.json").read_text(encoding="utf-8"))["seed"] == 3


class TestCommand:
    def test_it_writes_a_log_a_night_and_says_so(self, tmp_path):
        options = ["--out", str(tmp_path), "--raids", "2", "--pulls", "1", "--scale", "0.2", "--json"]

        result = CliRunner().invoke(app, options)

        said = json.loads(result.stdout)
        assert [night["pulls"] for night in said["nights"]] == [1, 1]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "WoWCombatLog-2026-01-07.txt",
            "WoWCombatLog-2026-01-12.txt",
            "truth.json",
        ]

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--format", "events", "`--format events` is not known, expected one of: combatlog"),
            ("--dialect", "v3", "`--dialect v3` is not known, expected one of: v22, v20, v17, v9"),
            ("--start", "soon", "`--start soon` is no date"),
        ],
    )
    def test_a_wrong_option_is_explained(self, tmp_path, option, value, message):
        result = CliRunner().invoke(app, ["--out", str(tmp_path), option, value])

        assert isinstance(result.exception, UserError)
        assert result.exception.problem == message
