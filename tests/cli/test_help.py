"""Help is grouped by what people want, costs nothing, and every command has one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gamelake.cli.catalogue import COMMANDS

HEAVY = (
    "duckdb",
    "pyarrow",
    "pyiceberg",
    "sqlalchemy",
    "numba",
    "numpy",
    "fastapi",
    "typer",
    "rich",
    "pydantic",
)


def test_help_groups_commands_and_shows_those_of_packs(gamelake) -> None:
    text = gamelake.ok("--help")

    headings = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert headings[-4:] != []
    assert [line for line in headings if line in {"Build data", "Look at data", "Toy game", "Operate"}] == [
        "Build data",
        "Look at data",
        "Toy game",
        "Operate",
    ]
    assert "  toy          Load scores." in text


def test_no_argument_is_help(gamelake) -> None:
    assert gamelake.ok() == gamelake.ok("--help")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gamelake.cli.main import call; code = call(['--help'])\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy or code else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_explains_itself(gamelake, name: str) -> None:
    done = gamelake(name, "--help")

    assert done.code == 0, done.err
    assert f"gamelake {name}" in done.out
    assert done.err == ""


def test_version(gamelake) -> None:
    assert gamelake.ok("--version").startswith("gamelake 0.")
