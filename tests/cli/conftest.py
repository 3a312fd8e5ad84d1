"""Projects of the toy pack, which only its entry point connects with gamelake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from command_line import CommandLine, InProcess
from gamelake import packs

TOY_PACK = Path(__file__).resolve().parents[1] / "toypack"


@pytest.fixture(scope="module", autouse=True)
def _toy_pack_installed():
    sys.path.insert(0, str(TOY_PACK))
    packs._installed.cache_clear()
    yield
    sys.path.remove(str(TOY_PACK))
    packs._installed.cache_clear()


def with_toy(kind: type, folder: Path):
    line = kind(folder)
    line.environment["PYTHONPATH"] = str(TOY_PACK)
    return line


@pytest.fixture
def gamelake(tmp_path: Path):
    """The command line with the toy pack installed, standing in an empty folder."""
    return with_toy(InProcess, tmp_path)


@pytest.fixture
def gamelake_process(tmp_path: Path):
    """The same in a process of its own."""
    return with_toy(CommandLine, tmp_path)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory):
    """A project with two days of scores, both built. Shared by the tests of a file: look, do not touch."""
    line = with_toy(InProcess, tmp_path_factory.mktemp("toy"))
    line.ok("init", "project", "--pack", "toy", "--name", "Toys")
    line.folder /= "project"
    line.ok("toy", "load", "2026-01-01", "ann=1", "bob=5")
    line.ok("toy", "load", "2026-01-02", "ann=7")
    line.ok("run")
    return line
