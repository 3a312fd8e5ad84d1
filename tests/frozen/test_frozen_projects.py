"""Projects as earlier versions left them (`make.py`) open in this one with all they hold, and go on."""

import json
import tarfile
from pathlib import Path

import pytest

import gamelake
from command_line import CommandLine

HERE = Path(__file__).parent
ARCHIVES = sorted(HERE.glob("*.tar.xz"))


def test_the_version_before_this_one_is_frozen():
    assert ARCHIVES, "run tests/frozen/make.py when a version is made"
    assert any(archive.name == f"{gamelake.__version__}.tar.xz" for archive in ARCHIVES)


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda file: file.name.removesuffix(".tar.xz"))
def test_a_frozen_project_opens_with_all_it_holds_and_goes_on(tmp_path, archive):
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    folder = tmp_path / "project"
    gamelake_ = CommandLine(folder)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))

    for dataset, rows in expected.items():
        asked = "*" if ".gold." in dataset else "count(*) AS rows"
        answer = gamelake_("query", f"SELECT {asked} FROM {dataset} ORDER BY ALL", "--format", "json")
        assert (answer.code, answer.err) == (0, "")
        assert known(json.loads(answer.out)["rows"], rows) == rows, dataset

    made = gamelake_(
        "simulate",
        "wow",
        "--nights",
        "3",
        "--seed",
        "7",
        "--players",
        "10",
        "--scale",
        "0.1",
        "--out",
        "logs",
    )
    assert made.code == 0, made.err
    newest = max((folder / "logs").glob("*.txt"))
    assert gamelake_("raid", "import", newest).code == 0
    went_on = gamelake_("run", "--json")
    assert went_on.code == 0, went_on.err
    nights = gamelake_("query", "SELECT count(*) AS n FROM wow.gold.dim_raid", "--format", "json")
    assert json.loads(nights.out)["rows"][0]["n"] > len(expected["wow.gold.dim_raid"])


def known(found: list[dict], expected: list[dict]) -> list[dict]:
    """The rows without columns that were added since."""
    columns = expected[0] if expected else {}
    return [{name: row[name] for name in row if name in columns} for row in found]
