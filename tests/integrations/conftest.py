"""A project with two days of data and nothing built."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import etl_project
from command_line import CommandLine

ROOT = Path(__file__).resolve().parents[2]
TOY_PACK = ROOT / "tests" / "toypack"
SCHEDULES = """
[[schedules]]
name = "nightly"
cron = "30 2 * * *"
targets = ["ours.gold", "ladder"]

[[schedules]]
name = "often"
every = "6h"
targets = ["latest"]
"""


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The project's command line."""
    folder = etl_project.create(tmp_path_factory.mktemp("integration") / "project")
    for job in etl_project.JOBS[1:]:
        (folder / f"layouts/ours/gold/{job}.sql").unlink()
    with (folder / "gamelake.toml").open("a") as file:
        file.write(SCHEDULES)
    made = CommandLine(folder)
    made.environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(TOY_PACK)])
    for day in (1, 2):
        made.ok("toy", "load", f"2026-01-0{day}", f"ann={day}", f"bob={day * 2}")
    return made


@pytest.fixture(scope="module")
def gamelake(line, tmp_path_factory) -> Path:
    """A program that is gamelake, for tools whose Python is another one."""
    file = tmp_path_factory.mktemp("bin") / "gamelake"
    environment = f"PYTHONPATH={line.environment['PYTHONPATH']} COLUMNS=100"
    file.write_text(f'#!/bin/sh\n{environment} exec {sys.executable} -m gamelake.cli "$@"\n')
    file.chmod(0o755)
    return file
