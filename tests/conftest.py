"""What every suite may ask for: the command line, and the real logs."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from command_line import CommandLine
from gamelake.engines.spark_start import SparkOptions, require_spark
from gamelake.errors import MissingExtraError
from postgres_server import running_server

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


@pytest.fixture(scope="session")
def postgres_server():
    """One Postgres for the whole session of this process; each test makes a database of its own."""
    with running_server() as server:
        yield server


@pytest.fixture
def database(postgres_server):
    """Name of a fresh database."""
    name = f"db_{uuid4().hex}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    return name


@pytest.fixture(scope="session")
def spark_options(tmp_path_factory) -> SparkOptions:
    """Of the one Spark of the test process; its tests skip when it cannot start, saying what is missing."""
    try:
        require_spark()
    except MissingExtraError as missing:
        pytest.skip(f"{missing.problem}: {missing.hint}")
    return SparkOptions(tmp_path_factory.mktemp("spark"), "local[2]", "1GB")
