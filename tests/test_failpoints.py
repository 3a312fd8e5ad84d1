"""A failpoint kills where it is told to, and nowhere else."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gamelake import failpoints


def run(code: str, failpoint: str) -> int:
    environment = {**os.environ, failpoints.VARIABLE: failpoint}
    return subprocess.run(
        [sys.executable, "-c", f"from gamelake.failpoints import hit\n{code}"],
        env=environment,
        check=False,
        capture_output=True,
    ).returncode


def test_nothing_happens_without_the_variable(monkeypatch):
    monkeypatch.delenv(failpoints.VARIABLE, raising=False)

    failpoints.hit("publish.in_commit")


def test_the_named_one_kills():
    assert run("hit('publish.in_commit')", "publish.in_commit") == -signal.SIGKILL
    assert run("hit('publish.in_commit')", "publish.after_commit") == 0


def test_the_third_hit_kills():
    assert run("hit('publish.in_commit'); hit('publish.in_commit')", "publish.in_commit:3") == 0
    assert run("[hit('publish.in_commit') for _ in range(3)]", "publish.in_commit:3") == -signal.SIGKILL


def test_an_undeclared_name_is_a_mistake(monkeypatch):
    monkeypatch.setenv(failpoints.VARIABLE, "publish.in_comit")
    with pytest.raises(LookupError, match=r"`publish.in_comit` is no declared failpoint"):
        failpoints.hit("publish.in_commit")

    monkeypatch.setenv(failpoints.VARIABLE, "publish.in_commit")
    with pytest.raises(LookupError, match=r"`nowhere` is no declared failpoint"):
        failpoints.hit("nowhere")


def test_every_declared_failpoint_is_in_the_code_and_the_other_way_round():
    sources = Path(failpoints.__file__).parent.rglob("*.py")
    texts = [file.read_text(encoding="utf-8") for file in sources if file.name != "failpoints.py"]
    calls = " ".join(line for text in texts for line in text.splitlines() if "hit(" in line)

    assert set(re.findall(r'"([a-z]+\.[a-z_]+)"', calls)) == failpoints.ALL
