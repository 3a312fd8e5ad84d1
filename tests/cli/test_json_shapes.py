"""The objects on the reference page have the keys of the real ones."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json.md"
SECTION = re.compile(r"^## `gamelake ([^`]+)`$.*?^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = SECTION.findall(PAGE.read_text(encoding="utf-8"))


def differences(told: Any, real: Any, at: str = "") -> list[str]:
    """Where the keys differ; lists by their first entries, values not at all."""
    if isinstance(told, dict) and isinstance(real, dict):
        if at.endswith("counts"):  # keys are states, only those that occur
            return []
        found = [f"{at}.{key}" for key in told.keys() ^ real.keys()]
        return found + [
            each
            for key in told.keys() & real.keys()
            for each in differences(told[key], real[key], f"{at}.{key}")
        ]
    if isinstance(told, list) and isinstance(real, list) and told and real:
        return differences(told[0], real[0], f"{at}[0]")
    return (
        []
        if told is None or real is None or isinstance(told, (list, dict)) == isinstance(real, (list, dict))
        else [at]
    )


def test_the_page_has_sections() -> None:
    assert len(SECTIONS) >= 10


@pytest.mark.parametrize(("command", "told"), SECTIONS, ids=[command for command, _ in SECTIONS])
def test_keys_are_as_documented(toy, command: str, told: str) -> None:
    arguments = shlex.split(command)
    if arguments[0] == "plan":
        arguments.append("--all")
    if arguments[0] == "run":
        arguments.append("--force")
    if "LOG" in arguments:
        log = toy.folder / "log.txt"
        toy.ok("simulate", "wow", "--nights", "1", "--pulls", "3", "--seed", "7", "--out", log)
        arguments[arguments.index("LOG")] = str(log)
    if arguments[:2] == ["jobs", "show"]:
        runs = json.loads(toy.ok("jobs", "list", "--json"))["runs"]
        arguments.insert(2, next(run["run"] for run in runs if run["kind"] == "run"))

    real = json.loads(toy.ok(*arguments))

    assert differences(json.loads(told), real) == []
