"""Tools that run gamelake, each in the environment that `make test-integrations` prepares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def python_of(name: str) -> Path:
    """The interpreter of a tool's environment, whether it is there or not."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from integrations import python_of as where
    finally:
        sys.path.pop(0)
    return where(name)


class Tool:
    """A tool in its own environment that looks at what gamelake wrote for it."""

    def __init__(self, name: str, folder: Path, gamelake: Path) -> None:
        self.python = python_of(name)
        assert self.python.exists(), "`make test-integrations` prepares the environments"
        self.home = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("GAMELAKE_", "PYTHON"))},
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "out"),
            "GAMELAKE": str(gamelake),
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "out"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "DAGSTER_HOME": str(folder),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }

    def __call__(self, script: str) -> dict:
        """What a script of ours, run by the tool's Python, prints last."""
        done = subprocess.run(
            [self.python, ROOT / "tests" / "integrations" / script],
            cwd=self.home / "out",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        return json.loads(done.stdout.strip().splitlines()[-1])
