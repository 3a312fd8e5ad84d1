"""Pseudonyms: no real name and no real GUID of a player leaves a report."""

from __future__ import annotations

import json
import re

import pytest

from gamelake.games.wow.names import hide, hiding, pseudonym
from gamelake.games.wow.report import METRICS, RaidReport
from gamelake.games.wow.standalone import open_logs
from games.wow.raid_logs import second_recorder, simulated, write

SOMEBODY = re.compile(rb'(Player-\d+-[0-9A-F]+),"([^"]+)"')
SOMEBODYS_PET = re.compile(rb'Pet-[^,]+,"([^"]+)"')


@pytest.fixture(scope="module")
def log() -> bytes:
    return simulated(seed=12, pulls=2, scale=0.3)


@pytest.fixture(scope="module")
def opened(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    paths = [write(folder, "a.txt", log), write(folder, "b.txt", second_recorder(log))]
    with open_logs(paths) as (connection, _):
        yield connection


def everything(report: RaidReport):
    """What every function of a report says, as (function, answer)."""
    yield "summary", report.summary()
    yield "log", report.log()
    raids = report.raids()
    yield "raids", raids
    yield "attendance", report.attendance()
    for raid in raids:
        night = report.night(raid["raid_id"])
        yield "night", night
        yield "summary of a raid", report.summary(raid["raid_id"])
        for pull in night["pulls"]:
            key = (raid["raid_id"], pull["encounter_id"], pull["pull_no"])
            shown = report.pull(*key)
            yield "pull", shown
            for player in shown["players"]:
                yield "casts", report.casts(*key, player["guid"])
                for metric in METRICS:
                    yield f"breakdown by {metric}", report.breakdown(*key, player["guid"], metric)


def words(value) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def real_words(log: bytes) -> set[str]:
    found = {word.decode() for pair in SOMEBODY.findall(log) for word in pair}
    found |= {name.split("-")[0] for name in found if not name.startswith("Player-")}
    return found | {name.decode() for name in SOMEBODYS_PET.findall(log)}


def test_no_name_and_no_guid_of_a_player_or_pet_is_shown(opened, log):
    secret = real_words(log)
    assert len(secret) > 25
    hit = re.compile("|".join(map(re.escape, sorted(secret, key=len, reverse=True))))

    leaks = {
        (function, found)
        for function, value in everything(RaidReport(opened, pseudonyms=True))
        for found in hit.findall(words(value))
    }

    assert leaks == set()


def test_without_pseudonyms_the_same_functions_show_them(opened, log):
    shown = "".join(words(value) for _, value in everything(RaidReport(opened)))

    missing = {word for word in real_words(log) if word not in shown}
    pets = {name.decode() for name in SOMEBODYS_PET.findall(log)}
    assert missing <= pets  # a pet that only heals or is only healed may stay unseen


def test_figures_stay_what_they_are(opened):
    real, hidden = RaidReport(opened).summary(), RaidReport(opened, pseudonyms=True).summary()

    assert hidden["log"] == real["log"]
    for one, other in zip(real["encounters"], hidden["encounters"], strict=True):
        for mine, theirs in zip(one["players"], other["players"], strict=True):
            assert {key: mine[key] for key in mine if key not in {"guid", "name"}} == {
                key: theirs[key] for key in theirs if key not in {"guid", "name"}
            }


def test_a_player_has_one_pseudonym_everywhere(opened):
    names: dict[str, set[str]] = {}
    for encounter in RaidReport(opened, pseudonyms=True).summary()["encounters"]:
        for person in [*encounter["players"], *encounter["deaths"]]:
            names.setdefault(person["guid"], set()).add(person["name"])

    assert all(len(found) == 1 for found in names.values())
    assert len({found.copy().pop() for found in names.values()}) == len(names)


def test_a_pseudonym_depends_on_the_guid_alone():
    table = hiding(
        {"Player-1-0000000A": "Ann-Realm", "Player-1-0000000B": None}, {"Rex": "Player-1-0000000A"}
    )

    assert table["Ann-Realm"] == pseudonym("Player-1-0000000A")
    assert table["Rex"] == f"Pet of {pseudonym('Player-1-0000000A')}"
    assert table["Player-1-0000000A"].startswith("Player-0-")


def test_only_whole_strings_of_the_table_are_replaced():
    table = {"Ann": "X"}

    assert hide({"name": "Ann", "list": ["Ann", 1, None], "text": "Annual"}, table) == {
        "name": "X", "list": ["X", 1, None], "text": "Annual",
    }  # fmt: skip
