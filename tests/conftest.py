"""What every suite may ask for: the command line, and the real logs."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from command_line import CommandLine
from gamelake.engines.spark_start import SparkOptions, require_spark
from gamelake.errors import MissingExtraError
from postgres_server import running_server

ROOT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")
ENOUGH = 6 * 1024**3  # bytes; a whole run with two workers needs less than 2 GB


def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary folders in memory where there is plenty: half of a run's time was waiting for disks.

    Nothing is proven by that wait: what a test kills are processes, and their writes outlive them on any disk.
    """
    if config.option.basetemp is None and "TMPDIR" not in os.environ and _is_roomy(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what shares a worker: all that needs Spark, which takes seconds to start, and else each file.

    What takes longest comes first, so that no worker is left alone with it in the end.
    """
    groups: dict[str, int] = {}
    for item in items:
        group = "spark" if _needs_spark(item) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
        order = 0 if group == "spark" else 1 if item.get_closest_marker("slow") else 2
        groups[group] = min(order, groups.get(group, order))
    items.sort(key=lambda item: groups[item.get_closest_marker("xdist_group").args[0]])


def _needs_spark(item: pytest.Item) -> bool:
    chosen = getattr(item, "callspec", None)
    return "spark_options" in item.fixturenames or (chosen is not None and "spark" in chosen.params.values())


def _is_roomy(folder: Path) -> bool:
    if not os.path.ismount(folder) or not os.access(folder, os.W_OK):
        return False
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(shutil.disk_usage(folder).free, pages) > ENOUGH


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
