"""What every suite may ask for: the command line, and the real logs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from command_line import CommandLine

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def gamelake(tmp_path: Path) -> CommandLine:
    """The command line, standing in an empty folder."""
    return CommandLine(tmp_path)


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """Folder of real combat logs with expected figures, beside the work tree; never part of the project."""
    shared = Path(os.environ.get("GAMELAKE_SHARED", ROOT.parent / "shared"))
    folder = shared / "data" / "wow"
    if not folder.is_dir():
        pytest.skip(f"no real logs: {folder} is missing")
    return folder
