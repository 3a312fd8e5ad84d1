"""A new project of the pack: what it is given, and the pack's own cases in it."""

from __future__ import annotations

import pytest

from command_line import InProcess


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A project as `init` makes it. Shared: look, do not touch."""
    line = InProcess(tmp_path_factory.mktemp("start"))
    line.ok("init", "studio", "--pack", "l2m")
    line.folder /= "studio"
    return line


def test_a_project_begins_with_settings_to_edit(studio) -> None:
    settings = (studio.folder / "gamelake.toml").read_text()
    seeds = sorted(file.name for file in (studio.folder / "seeds").iterdir())

    assert 'zone = "Asia/Ho_Chi_Minh"' in settings
    assert '[profiles.dev.connections.l2m]\nkind = "file"\nroot = "source"' in settings
    assert seeds == ["diamonds.csv", "farmer_rules.yaml", "item_catalog.csv", "vip_tiers.csv", "worlds.csv"]
    assert len((studio.folder / "seeds" / "item_catalog.csv").read_text().splitlines()) == 1 + 51


def test_a_mistake_in_a_seed_is_told_with_file_and_line(studio, tmp_path) -> None:
    line = InProcess(tmp_path)
    line.ok("init", "studio", "--pack", "l2m")
    line.folder /= "studio"
    rules = line.folder / "seeds" / "farmer_rules.yaml"
    rules.write_text(rules.read_text().replace("min_days: 3", "min_days: none"))

    done = line("plan")

    assert done.code == 2
    assert "seeds/farmer_rules.yaml:3 (min_days): `min_days` is a whole number" in done.err


def test_the_cases_of_the_pack_pass(studio) -> None:
    done = studio("test")

    assert done.code == 0, done.out
    assert "yesterday is added once" in done.out
