"""`gamelake raid` as a person meets it: what it prints, and what it says when something is wrong."""

from __future__ import annotations

import gzip
import json

import pytest

from command_line import InProcess
from games.wow.raid_logs import lines_of, simulated, write

LOG_KEYS = {"total", "events", "context", "ignored", "quarantined", "dialect"}
ENCOUNTER_KEYS = {
    "encounter_id", "name", "difficulty_id", "group_size", "instance_id", "success", "duration_ms",
    "conservation_error", "players", "deaths",
}  # fmt: skip
PLAYER_KEYS = {
    "guid", "name", "class", "spec_id", "role", "damage", "healing", "overhealing", "absorbs", "damage_taken",
    "deaths", "casts",
}  # fmt: skip
DEATH_KEYS = {"guid", "name", "at_ms", "killing_blow"}


@pytest.fixture
def raid(tmp_path):
    """The command line in a folder with a log and no project."""
    write(tmp_path, "log.txt", simulated())
    return InProcess(tmp_path)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The command line in a project that holds the log: look, do not touch."""
    line = InProcess(tmp_path_factory.mktemp("guild"))
    write(line.folder, "log.txt", simulated())
    line.ok("init", "guild", "--pack", "wow", "--name", "Guild")
    line.folder /= "guild"
    line.ok("raid", "import", "../log.txt")
    return line


class TestReport:
    def test_json_is_one_object_with_the_documented_keys(self, raid):
        report = json.loads(raid.ok("raid", "report", "log.txt", "--json"))

        assert set(report) == {"log", "encounters"}
        assert set(report["log"]) == LOG_KEYS
        assert len(report["encounters"]) == 3
        for encounter in report["encounters"]:
            assert set(encounter) >= ENCOUNTER_KEYS
            assert all(set(player) == PLAYER_KEYS for player in encounter["players"])
            assert all(set(death) == DEATH_KEYS for death in encounter["deaths"])

    def test_it_needs_no_project_and_leaves_nothing_behind(self, gamelake):
        write(gamelake.folder, "log.txt", simulated())

        gamelake.ok("raid", "report", "log.txt", "--json")

        assert [path.name for path in gamelake.folder.iterdir()] == ["log.txt"]

    def test_several_logs_are_one_report(self, raid):
        lines = lines_of(simulated())
        write(raid.folder, "a.log", b"".join(lines[:400]))
        write(raid.folder, "b.log.gz", gzip.compress(b"".join(lines[300:])))

        parts = json.loads(raid.ok("raid", "report", "a.log", "b.log.gz", "--json"))

        whole = json.loads(raid.ok("raid", "report", "log.txt", "--json"))
        assert parts["encounters"] == whole["encounters"]
        assert parts["log"]["total"] == len(lines) + 100

    def test_people_see_fights_players_and_the_accounting(self, raid):
        shown = raid("raid", "report", "log.txt")

        assert shown.code == 0
        assert "Fights" in shown.out
        assert "kill" in shown.out
        text = shown.out + shown.err
        assert f"{len(lines_of(simulated()))} lines (v22) = " in text
        assert " quarantined" in text

    def test_all_shows_every_player(self, raid):
        some, everyone = raid("raid", "report", "log.txt"), raid("raid", "report", "log.txt", "--all")

        assert "--all shows them" in some.out + some.err
        assert "--all shows them" not in everyone.out + everyone.err

    def test_pseudonyms_hide_names(self, raid):
        real = json.loads(raid.ok("raid", "report", "log.txt", "--json"))
        names = {player["name"] for player in real["encounters"][0]["players"]}

        hidden = raid("raid", "report", "log.txt", "--all", "--pseudonyms")

        assert hidden.code == 0
        assert not [name for name in names if name in hidden.out or name.split("-")[0] in hidden.out]

    def test_a_log_without_encounters_says_so(self, raid):
        write(raid.folder, "quiet.txt", b"".join(lines_of(simulated())[:20]))

        done = raid("raid", "report", "quiet.txt")

        assert done.code == 0
        assert "no encounter in this log" in done.out + done.err
        assert json.loads(raid.ok("raid", "report", "quiet.txt", "--json"))["encounters"] == []

    def test_an_unfinished_last_line_is_told(self, raid):
        write(raid.folder, "growing.txt", simulated() + b"1/8/2026 00:0")

        done = raid("raid", "report", "growing.txt")

        assert "the last line is not finished (13 bytes) and does not count yet" in done.err

    def test_a_cut_archive_is_told(self, raid):
        packed = gzip.compress(simulated())
        write(raid.folder, "cut.gz", packed[: len(packed) // 2])
        raid.ok("init", ".", "--pack", "wow")

        for command in (["report"], ["import", "--no-run"]):
            done = raid("raid", *command, "cut.gz")

            assert done.code == 0, done
            assert "cut.gz: the compressed file ends early" in done.err


BAD = {
    "missing.txt": (None, "missing.txt: no such file", "give the path of a WoWCombatLog.txt"),
    "folder.txt": ("folder", "folder.txt: is a folder, expected a combat log", "name the file inside it"),
    "empty.txt": (
        b"",
        "empty.txt: the log is empty",
        "the game writes it after `/combatlog`; is this the right file?",
    ),
    "binary.txt": (
        bytes(range(256)) * 40,
        "binary.txt: this is not a combat log: no line begins with a timestamp such as",
        "expected the game's WoWCombatLog.txt, plain, .gz or .zst",
    ),
    "broken.gz": (
        b"\x1f\x8b\x08" + b"rubbish" * 50,
        "broken.gz: cannot be decompressed:",
        "is the download complete?",
    ),
}


class TestMistakes:
    def told(self, raid, *arguments) -> str:
        """What a command that must fail by the person's own mistake says."""
        done = raid(*arguments)
        assert done.code == 2, done
        assert done.out == ""
        return " ".join(done.err.split())

    @pytest.mark.parametrize("command", ["report", "import"])
    @pytest.mark.parametrize("name", BAD)
    def test_a_bad_file_is_named_with_a_hint(self, raid, name, command):
        content, problem, hint = BAD[name]
        if command == "import":
            raid.ok("init", ".", "--pack", "wow")
        if content == "folder":
            (raid.folder / name).mkdir()
        elif content is not None:
            write(raid.folder, name, content)

        said = self.told(raid, "raid", command, name)

        assert problem in said
        assert f"hint: {hint}" in said

    def test_json_does_not_hide_a_mistake(self, raid):
        assert "no such file" in self.told(raid, "raid", "report", "none.txt", "--json")

    def test_an_unknown_zone_is_guessed(self, raid):
        said = self.told(raid, "raid", "report", "log.txt", "--zone", "Europe/Berlim")

        assert "unknown time zone `Europe/Berlim`" in said
        assert "did you mean `Europe/Berlin`?" in said

    def test_a_team_is_a_label(self, raid):
        said = self.told(raid, "raid", "report", "log.txt", "--team", "a/b")

        assert said == "error: `--team a/b` is not a label hint: use letters, digits, `-` and `_`"

    def test_a_raid_needs_a_project(self, raid):
        assert "no `gamelake.toml`" in self.told(raid, "raid", "report", "9810-2026-01-07")

    def test_a_raid_that_is_not_there(self, project):
        said = self.told(project, "raid", "report", "1-1999-01-01")

        assert "no raid `1-1999-01-01`" in said
        assert "`gamelake raid list` shows the raids there are" in said


class TestProject:
    def test_a_raid_is_imported_listed_and_reported(self, project):
        (listed,) = json.loads(project.ok("raid", "list", "--json"))["raids"]
        assert listed["pulls"] == 3

        raid = json.loads(project.ok("raid", "report", listed["raid_id"], "--json"))

        alone = json.loads(project.ok("raid", "report", "../log.txt", "--json"))
        assert raid == alone
        assert listed["raid_id"] in project.ok("raid", "list")

    def test_importing_again_reads_nothing(self, project):
        done = json.loads(project.ok("raid", "import", "../log.txt", "--json"))

        (log,) = done["logs"]
        assert (log["state"], log["lines"]) == ("unchanged", 0)

    def test_an_import_without_a_run_waits(self, raid):
        raid.ok("init", ".", "--pack", "wow")
        done = json.loads(raid.ok("raid", "import", "log.txt", "--no-run", "--json"))
        assert done["run"] is None
        assert done["logs"][0]["state"] == "imported"

        raid.ok("run", "wow")

        assert len(json.loads(raid.ok("raid", "list", "--json"))["raids"]) == 1

    def test_a_list_without_raids_says_what_to_do(self, raid):
        raid.ok("init", ".", "--pack", "wow")

        done = raid("raid", "list")

        assert done.code == 0
        assert "no raid yet: `gamelake raid import WoWCombatLog.txt`" in done.out + done.err

    def test_pseudonyms_hide_names_of_a_project_too(self, project):
        (listed,) = json.loads(project.ok("raid", "list", "--json", "--pseudonyms"))["raids"]
        real = json.loads(project.ok("raid", "report", listed["raid_id"], "--json"))

        hidden = project.ok("raid", "report", listed["raid_id"], "--json", "--pseudonyms")

        names = {player["name"] for encounter in real["encounters"] for player in encounter["players"]}
        assert not [name for name in names if name in hidden]
