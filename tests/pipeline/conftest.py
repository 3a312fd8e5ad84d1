"""A fresh sample project for each test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from sample_project import create, import_days, open_sample, some_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.pipeline.project import Project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return create(tmp_path / "toy")


@pytest.fixture
def project(root: Path) -> Iterator[Project]:
    with open_sample(root) as opened:
        yield opened


@pytest.fixture
def built(project: Project) -> Project:
    """Three days imported and built."""
    import_days(project, {f"2026-01-0{day}": some_rows(day) for day in (1, 2, 3)})
    assert run_now(project, RunRequest()).error is None
    return project
