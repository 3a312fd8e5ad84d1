"""The slow reader reaches the expected figures of the shared real logs, and reads every dialect."""

from __future__ import annotations

import gzip
import json
from functools import cache

import pytest

from reference import combatlog

LOGS = (
    "enc-3132-pull-1-forgeweaver-araz.log.gz",
    "enc-3133-pull-1-fractillus.log.gz",
    "enc-3135-pull-1-dimensius-the-all-devouring.log.gz",
    "enc-3135-pull-2-dimensius-the-all-devouring.log.gz",
    "enc-3135-pull-3-dimensius-the-all-devouring.log.gz",
)


@pytest.fixture(scope="module")
def reading(real_logs):
    return cache(lambda name: combatlog.read(gzip.decompress((real_logs / name).read_bytes()), year=2021))


@pytest.fixture(scope="module")
def facts(real_logs):
    return json.loads((real_logs / "expected_facts.json").read_text(encoding="utf-8"))["files"]


@pytest.mark.real
class TestRealLogs:
    @pytest.mark.parametrize("name", LOGS)
    def test_every_expected_figure_is_reached(self, reading, facts, name):
        (expected,) = facts[name]

        (encounter,) = reading(name).encounters

        assert {
            guid: {"name": player.name, "spec_id": player.spec_id, **player.figures}
            for guid, player in encounter.players.items()
        } == expected["players"]
        assert [[death.name, "0"] for death in encounter.deaths] == expected["player_deaths"]
        assert (encounter.success, encounter.duration_ms) == (expected["success"], expected["fight_ms"])
        for key in ("encounter_id", "name", "difficulty_id", "group_size", "instance_id"):
            assert getattr(encounter, key) == expected[key]

    @pytest.mark.parametrize("name", LOGS)
    def test_every_line_is_accounted_for(self, reading, name):
        log = reading(name).report()["log"]

        assert log["total"] == log["events"] + log["context"] + log["ignored"]
        assert log["quarantined"] == 0
        assert log["dialect"] == "v22"

    def test_damage_is_conserved(self, reading):
        errors = [reading(name).encounters[0].conservation_error for name in LOGS]

        assert errors[1:] == [0.0, None, None, None]
        assert errors[0] == pytest.approx(-1.2e-5, abs=1e-6)

    def test_every_death_has_a_killing_blow(self, reading):
        deaths = [death for name in LOGS for death in reading(name).encounters[0].deaths]

        assert len(deaths) == 21
        assert all(death.killing_blow and death.killing_blow["overkill"] > 0 for death in deaths)

    @pytest.mark.parametrize(
        ("name", "dialect", "total"),
        [("torghast-20210103-full.log.gz", "v17", 14674), ("tbc-arena-multiple-matches.log.gz", "v9", 3228)],
    )
    def test_older_dialects_are_read_without_quarantine(self, reading, name, dialect, total):
        read = reading(name)

        assert read.dialect == dialect
        assert read.encounters == []
        assert read.total == total
        assert read.quarantined == []


class TestLines:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("", "empty"),
            ("yesterday  SPELL_HEAL,1", "timestamp"),
            ("13/41/2026 20:00:00.0001  SPELL_HEAL,1", "timestamp"),
            ("1/7/2026 20:00:00.0001 SPELL_HEAL,1", "timestamp"),
            ("1/7/2026 20:00:00.0001  spell_heal,1", "subevent"),
            ('1/7/2026 20:00:00.0001  NEW_THING,"open', "quotes"),
            ("1/7/2026 20:00:00.0001  SPELL_HEAL,1,2", "fields"),
            ('1/7/2026 20:00:00.0001  ENCOUNTER_START,one,"X",14,20,9810', "number"),
            ('1/7/2026 20:00:00.0001  UNIT_DIED,0,nil,0x0,0x0,?,"N",0x1,0x0,0', "guid"),
        ],
    )
    def test_what_cannot_be_parsed_is_quarantined_with_a_reason(self, line, reason):
        read = combatlog.read(f"{line}\n".encode())

        assert read.quarantined == [(1, reason)]

    def test_unknown_names_are_ignored_and_counted(self):
        read = combatlog.read(b"1/7/2026 20:00:00.0001  NEW_THING,1,(2,3)\r\n" * 2)

        assert read.ignored == {"NEW_THING": 2}

    def test_an_unterminated_line_is_no_line_yet(self):
        read = combatlog.read(b"1/7/2026 20:00:00.0001  NEW_THING,1\r\n1/7/2026 20:00")

        assert (read.total, read.pending_bytes) == (1, 14)

    def test_the_fourth_digit_is_the_offset(self):
        line = combatlog.parse_line(1, "1/7/2026 20:00:00.4622  NEW_THING", 2000)

        assert (line.local.microsecond, line.offset_hours) == (462_000, 2.0)
        assert combatlog.utc_ms(line) % 86_400_000 == 18 * 3_600_000 + 462

    def test_a_log_without_years_rolls_over_new_year(self):
        read = combatlog.read(b"12/31 23:59:59.999  NEW_THING\n1/1 00:00:00.001  NEW_THING\n", year=2025)

        assert [line.local.year for line in read.lines] == [2025, 2026]

    def test_free_text_of_an_emote_is_left_alone(self):
        read = combatlog.read(b'1/7/2026 20:00:00.0001  EMOTE,a,b,c,d,"half a quote (and\n')

        assert (read.context, read.quarantined) == (1, [])
