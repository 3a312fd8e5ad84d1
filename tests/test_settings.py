"""One settings file, and what its author is told about it."""

import subprocess
import sys
from pathlib import Path

import pytest

from gamelake.errors import LayoutError, UserError
from gamelake.settings import Settings, describe, find_project


def project(tmp_path: Path, text: str) -> Path:
    (tmp_path / "gamelake.toml").write_text(text, encoding="utf-8")
    return tmp_path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(LayoutError) as caught:
        Settings.load(project(tmp_path, text))
    return str(caught.value).replace(str(tmp_path), "")


def test_an_empty_file_gives_the_defaults(tmp_path):
    settings = Settings.load(project(tmp_path, ""))

    assert settings.root == tmp_path
    assert settings.name == tmp_path.name
    assert (settings.packs, settings.zone, settings.memory) == ([], "UTC", None)
    assert (settings.keep_versions, settings.keep_snapshots) == (5, 10)
    assert settings.ledger_file == tmp_path / ".gamelake" / "ledger.db"
    assert settings.lake_folder == tmp_path / ".gamelake" / "lake"


def test_the_file_says_what_it_wants_and_packs_have_tables(tmp_path):
    text = 'name = "Guild"\npacks = ["wow"]\nzone = "Europe/Berlin"\nmemory = "4GB"\n[wow]\nteam = "a"\n'

    settings = Settings.load(project(tmp_path, text))

    assert (settings.name, settings.packs, settings.zone, settings.memory) == (
        "Guild",
        ["wow"],
        "Europe/Berlin",
        "4GB",
    )
    assert settings.section("wow") == {"team": "a"}
    assert settings.section("l2m") == {}


def test_the_environment_overrules_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMELAKE_KEEP_VERSIONS", "9")

    assert Settings.load(project(tmp_path, "keep_versions = 3")).keep_versions == 9


def test_a_failpoint_in_the_environment_is_no_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMELAKE_FAILPOINT", "publish.in_commit")

    assert Settings.load(project(tmp_path, "")).name == tmp_path.name


def test_settings_do_not_change(tmp_path):
    settings = Settings.load(project(tmp_path, ""))

    with pytest.raises(ValueError, match="frozen"):
        settings.name = "other"


def test_everything_wrong_is_said_with_its_line(tmp_path):
    text = 'name = "x"\nkeep_version = 3\nzone = "Europe/Berln"\nkeep_snapshots = 0\n'

    said = refusal(tmp_path, text)

    assert "/gamelake.toml:2 (keep_version): unknown key `keep_version`, expected one of: name, packs" in said
    assert "hint: did you mean `keep_versions`?" in said
    assert "/gamelake.toml:3 (zone): unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?" in said
    assert "/gamelake.toml:4 (keep_snapshots): input should be greater than or equal to 1, got `0`" in said


def test_broken_toml_names_its_line(tmp_path):
    said = refusal(tmp_path, 'name = "x"\nzone = UTC\n')

    assert said.startswith("/gamelake.toml:2: not valid TOML: invalid value")
    assert 'hint: text needs quotes in TOML: `zone = "Europe/Berlin"`' in said


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "gamelake.toml").write_bytes(b'name = "x"\nzone = "\xff"\n')

    with pytest.raises(LayoutError, match=r"gamelake.toml:2: not UTF-8 text"):
        Settings.load(tmp_path)


def test_a_table_where_a_value_belongs(tmp_path):
    assert "/gamelake.toml:1 (zone): `zone` is a table, expected a value" in refusal(
        tmp_path, "[zone]\nx = 1\n"
    )


def test_a_bad_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMELAKE_LEASE_SECONDS", "soon")

    said = refusal(tmp_path, "")

    assert "hint: the value comes from the environment variable `GAMELAKE_LEASE_SECONDS`" in said


@pytest.mark.parametrize("memory", ["lots", "4", "GB", "-1GB"])
def test_a_memory_budget_has_a_unit(tmp_path, memory):
    said = refusal(tmp_path, f'memory = "{memory}"')

    assert f"(memory): memory needs a number and a unit, as `4GB`, `512MiB` or `60%`, got `{memory}`" in said


def test_a_table_of_no_pack_is_a_typo(tmp_path):
    said = refusal(tmp_path, 'packs = ["wow"]\n\n[wov]\nteam = "a"\n')

    assert said == (
        "/gamelake.toml:3 (wov): table `[wov]` belongs to no pack of this project: wow\n\nhint: did you mean `wow`?"
    )


def test_the_environment_does_not_move_a_project(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMELAKE_ROOT", "/elsewhere")
    monkeypatch.setenv("GAMELAKE_SECTIONS", "{}")

    assert Settings.load(project(tmp_path, "")).root == tmp_path


def test_a_list_in_the_environment_is_json(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMELAKE_PACKS", '["wow"]')
    assert Settings.load(project(tmp_path, "")).packs == ["wow"]

    monkeypatch.setenv("GAMELAKE_PACKS", "wow")
    assert "a variable of the environment cannot be read" in refusal(tmp_path, "")


def test_no_file_is_the_callers_mistake(tmp_path):
    with pytest.raises(UserError) as caught:
        Settings.load(tmp_path)

    assert caught.value.exit_code == 2
    assert caught.value.hint == "`gamelake init DIR --pack wow` makes a project"


def test_a_project_is_found_from_below(tmp_path):
    project(tmp_path, "")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert find_project(below) == tmp_path


def test_no_project_above_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match="or any folder above it") as caught:
        find_project(tmp_path)

    assert caught.value.hint == "`gamelake init DIR --pack wow` makes a project"


def test_every_setting_has_help():
    assert all(help_text.endswith(".") for _, _, help_text in describe())
    assert {"name", "zone", "keep_versions"} <= {name for name, _, _ in describe()}


def test_reading_settings_loads_nothing_heavy():
    code = "import sys, gamelake.settings; print([m for m in ('duckdb', 'pyarrow', 'sqlalchemy') if m in sys.modules])"

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_the_engine_and_its_table(tmp_path):
    text = 'engine = "spark"\n[spark]\nmaster = "local[2]"\nconf = { "spark.executor.memory" = "2g" }\n'

    settings = Settings.load(project(tmp_path, text))

    assert (settings.engine, settings.spark.master, settings.spark.memory) == ("spark", "local[2]", None)
    assert settings.spark.conf == {"spark.executor.memory": "2g"}
    assert Settings.load(project(tmp_path, "")).engine == "duckdb"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('engine = "sparc"', "(engine)"),
        ('[spark]\nmaster = "here"', "spark"),
        ('[spark]\nmemory = "lots"', "memory needs a number and a unit"),
        ("[spark]\ncores = 2", "cores"),
    ],
)
def test_a_mistake_about_the_engine_is_named(tmp_path, text, said):
    assert said in refusal(tmp_path, text)


def test_connections_outside_of_a_profile_are_shown_the_way(tmp_path):
    said = refusal(tmp_path, '\n[connections.gds]\nkind = "postgres"\n')

    assert said.startswith("/gamelake.toml:2 (connections): table `[connections]` belongs to no pack")
    assert said.endswith("hint: connections belong to a profile: `[profiles.dev.connections.NAME]`")
