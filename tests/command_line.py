"""Ways to call `gamelake` from a test."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from gamelake.cli.main import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs `gamelake` as a person does: another process, its own folder, no colour, a fixed width."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GAMELAKE_")},
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "PYTHONWARNINGS": "error",
        }

    def __call__(self, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "gamelake.cli", *map(str, arguments)],
            cwd=cwd or self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> str:
        """Stdout of a command that must succeed."""
        done = self(*arguments, cwd=cwd, **environment)
        assert done.code == 0, f"gamelake {' '.join(map(str, arguments))} ended with {done.code}\n{done.err}"
        return done.out


class InProcess(CommandLine):
    """The same without another process: fast, for tests that look at what a command says and does."""

    def __call__(self, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with (
            contextlib.chdir(cwd or self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch.dict(os.environ, {**self.environment, **environment}, clear=True),
        ):
            try:
                main([str(argument) for argument in arguments])
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Done(code, out.getvalue(), err.getvalue())
