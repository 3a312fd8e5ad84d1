"""Habits no linter knows: who may catch everything, how long a file may get."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gamelake

SOURCE = Path(gamelake.__file__).parent
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
# The borders where any error at all becomes an answer; everywhere else it is raised again.
BORDERS = {
    "cli/main.py": "the command",
    "cli/doctor.py": "a broken store is the finding",
    "http/problems.py": "the request",
    "jobs/worker.py": "the job",
    "packs.py": "a stranger's pack",
    "pipeline/step_run.py": "the task",
}
MOST_LINES = 450


@pytest.mark.parametrize("file", FILES)
def test_only_borders_swallow_every_error(file: str) -> None:
    wide = [
        handler.lineno
        for handler in ast.walk(ast.parse((SOURCE / file).read_text(encoding="utf-8")))
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"})
        and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    ]

    assert not wide or file in BORDERS, f"{file}:{wide}"


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_one_idea(file: str) -> None:
    assert len((SOURCE / file).read_text(encoding="utf-8").splitlines()) <= MOST_LINES
