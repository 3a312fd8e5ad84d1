"""The demo as a person runs it: a log in, one address out, and a page behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "demo.sh"
GAMELAKE = ROOT / ".venv" / "bin" / "gamelake"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GAMELAKE.exists(), reason="the demo runs in .venv, which `make setup` prepares"),
]


def demo(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT], env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project made by the demo from one short log."""
    folder = tmp_path_factory.mktemp("demo")
    log = folder / "WoWCombatLog.txt"
    subprocess.run(
        [GAMELAKE, "simulate", "wow", "--nights", "1", "--pulls", "2", "--out", log],
        check=True,
        capture_output=True,
    )
    project = folder / "project"
    for _ in range(2):  # a second time changes nothing and fails nowhere
        done = demo(LOG=str(log), DEMO=str(project), NO_SERVE="1")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("http://") == 0
    return project


def test_a_log_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = demo(LOG=str(tmp_path / "missing.txt"), DEMO=str(tmp_path / "project"), NO_SERVE="1")

    assert done.returncode != 0
    assert "missing.txt" in done.stderr
    assert not (tmp_path / "project").exists()


def test_serving_prints_one_address_and_answers_there(played: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gamelake.cli", "serve", "--port", "0"],
        cwd=played,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        address = process.stdout.readline().strip()
        for path in ("", "raids", "datasets", "runs"):
            with urllib.request.urlopen(f"{address}{path}", timeout=30) as answer:
                assert answer.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)

    assert address.startswith("http://127.0.0.1:")
    assert (out, process.returncode) == ("", 0)
