"""Prepare the environments of `make test-integrations`, one for each tool that does not fit into ours.

    python3 scripts/integrations.py        exit 0 when ready, 3 when the package index cannot be reached, 1 otherwise

Each lies in `.cache/integrations` (or where `GAMELAKE_INTEGRATIONS` says), apart from `.venv`, at the versions of
`tests/integrations/<tool>.txt`. Does nothing, and asks no network, while that file is the one it was made from.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from setup import ROOT, VENV, say, uv_environment

TOOLS = {"airflow": "apache-airflow", "dagster": "dagster", "moto": "moto[server]"}  # moto is an S3 server
UNREACHABLE = 3
_NO_NETWORK = (
    "error sending request",
    "Failed to fetch",
    "dns error",
    "Could not connect",
    "tcp connect",
    "timed out",
)


def folder() -> Path:
    """Where the environments are."""
    return Path(os.environ.get("GAMELAKE_INTEGRATIONS", ROOT / ".cache" / "integrations"))


def pins(tool: str) -> Path:
    """The file of a tool's versions."""
    return ROOT / "tests" / "integrations" / f"{tool}.txt"


def python_of(tool: str) -> Path:
    """The interpreter of a tool's environment, named by what it was made from."""
    told = hashlib.sha256(f"{sys.version_info[:2]}".encode() + pins(tool).read_bytes()).hexdigest()[:10]
    return folder() / f"{tool}-{told}" / "bin" / "python"


def prepare(tool: str) -> int:
    """Make one environment; the exit code."""
    python = python_of(tool)
    ready = python.parent.parent / ".ready"
    if ready.exists():
        return 0
    say(f"installing {TOOLS[tool]} for `make test-integrations` (once)")
    uv, environment = str(VENV / "bin" / "uv"), uv_environment()
    made = [
        uv,
        "venv",
        "--quiet",
        "--clear",
        "--python",
        str(VENV / "bin" / "python"),
        str(python.parent.parent),
    ]
    filled = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "--constraint",
        str(pins(tool)),
        TOOLS[tool],
    ]
    for command in (made, filled):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            told = done.stderr.strip()
            if any(words in told for words in _NO_NETWORK):
                say(f"{TOOLS[tool]} is missing, and the package index cannot be reached:\n{told[-600:]}")
                return UNREACHABLE
            say(f"cannot install {TOOLS[tool]}:\n{told[-2000:]}")
            return 1
    ready.touch()
    return 0


if __name__ == "__main__":
    codes = [prepare(tool) for tool in TOOLS]
    raise SystemExit(1 if 1 in codes else max(codes))
