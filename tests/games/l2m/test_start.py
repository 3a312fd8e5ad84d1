"""A new project of the pack: what it is given, and the pack's own cases in it."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from command_line import InProcess
from games.l2m.l2m_project import simulate


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


def test_any_folder_of_the_source_can_be_run_with_its_seeds(tmp_path) -> None:
    source = simulate(tmp_path / "there", seed=5, users=40, days=3)
    worlds = source / "seeds" / "worlds.csv"
    worlds.write_text(worlds.read_text().replace("Amberfall", "Amberrise"))
    line = InProcess(tmp_path)
    line.ok("init", "P", "--pack", "l2m")
    line.folder /= "P"
    kpi = "SELECT report_date, dau, nru, pu, rev_usd FROM l2m.gold.daily_kpi ORDER BY report_date"

    line.ok("run", "l2m.gold.daily_kpi", "--source", source, "--from", "2026-02-20", "--to", "2026-02-21")
    two = json.loads(line.ok("query", kpi, "--format", "json"))["rows"]
    line.ok("run", "l2m.silver.run_days", "--source", source, "--var", "logDate=2026-02-22")
    days = json.loads(line.ok("query", "SELECT report_date FROM l2m.silver.run_days", "--json"))["rows"]
    truth = pq.read_table(source / "truth" / "daily_kpi.parquet").to_pylist()

    assert "Amberrise" in (line.folder / "seeds" / "worlds.csv").read_text()
    assert [(row["report_date"], row["dau"], row["pu"], Decimal(row["rev_usd"])) for row in two] == [
        (str(row["report_date"]), row["dau"], row["pu"], row["rev_usd"]) for row in truth[:2]
    ]
    assert {row["report_date"] for row in days} == {"2026-02-20", "2026-02-21", "2026-02-22"}
    wrong = line("run", "l2m", "--source", tmp_path / "nowhere")
    assert (wrong.code, "there is no folder" in wrong.err) == (2, True)
