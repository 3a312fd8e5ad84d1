"""Every ```console and ```python block of the README and the guides runs and prints what it says.

A page runs top-down in one empty folder. In a console block, lines after `$ ` are commands (a trailing
backslash continues one) and what follows is their output, stdout and stderr as they come. `…` in an output
stands for any text, and for any number of lines when it is alone on one. Blocks marked `sh` are not run:
they clone, install or serve.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forked_cli import forked_cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Shell:
    """A shell that remembers its folder between commands."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, command: str) -> str:
        note = self.folder.parent / "where"
        script = f'set -o pipefail\n{command}\nprintf %s "$PWD" > {note}\n'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        self.folder = Path(note.read_text(encoding="utf-8"))
        return done.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the `gamelake` that pages call."""
    with forked_cli(tmp_path_factory.mktemp("cli")) as folder:
        yield folder


def shell_for(tmp_path: Path, programs: Path) -> Shell:
    folder = tmp_path / "page"
    folder.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GAMELAKE_")}
    environment |= {
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONWARNINGS": "error",
    }
    return Shell(folder, environment)


def steps_of(block: str) -> list[tuple[str, str]]:
    """(command, expected output) of a console block."""
    steps: list[tuple[str, str]] = []
    awaited = ""  # the line that ends a here-document, or a backslash that the command goes on
    for line in block.splitlines():
        if awaited:
            steps[-1] = (f"{steps[-1][0]}\n{line}", "")
            ended = line == awaited or (awaited == "\\" and not line.endswith("\\"))
            awaited = "" if ended else awaited
        elif line.startswith("$ "):
            steps.append((line[2:], ""))
            document = re.search(r"<< '(\w+)'$", line)
            awaited = document[1] if document else "\\" if line.endswith("\\") else ""
        else:
            steps[-1] = (steps[-1][0], f"{steps[-1][1]}{line}\n")
    return steps


def same(expected: str, seen: str) -> bool:
    """Equal but for spaces at line ends, and where the expected text says `…`."""
    lines = [re.escape(line.rstrip()).replace("…", ".*?") for line in expected.strip().splitlines()]
    pattern = "\n".join(lines).replace("\n.*?\n", "\n(?:.*\n)*?")
    pattern = re.sub(r"\A\.\*\?\n", r"(?:.*\n)*?", pattern)
    pattern = re.sub(r"\n\.\*\?\Z", r"(?:\n.*)*", pattern)
    pattern = r"(?s:.*)" if pattern == ".*?" else pattern
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in seen.strip().splitlines())) is not None


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_does_what_it_says(page: Path, tmp_path: Path, programs: Path) -> None:
    shell = shell_for(tmp_path, programs)
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            (shell.folder / "snippet.py").write_text(block, encoding="utf-8")
            subprocess.run(
                [sys.executable, "snippet.py"], cwd=shell.folder, env=shell.environment, check=True
            )
            continue
        for command, expected in steps_of(block):
            seen = shell(command)
            assert same(expected, seen), f"$ {command}\n--- the page says\n{expected}\n--- it printed\n{seen}"


@pytest.mark.parametrize(
    ("expected", "seen", "fits"),
    [
        ("a\n", "a  \n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("run … s\n", "run 1.5 s\n", True),
        ("a\n", "b\n", False),
        ("a\n…\n", "a\n", True),
        ("…\nb\n", "a\na\nb\n", True),
        ("", "surprise\n", False),
    ],
)
def test_outputs_compare_with_elisions(expected: str, seen: str, *, fits: bool) -> None:
    assert same(expected, seen) is fits


def test_commands_go_on_after_a_backslash() -> None:
    assert steps_of("$ a \\\n  b\nout\n$ c\n") == [("a \\\n  b", "out\n"), ("c", "")]


def test_a_here_document_is_part_of_its_command() -> None:
    assert steps_of("$ cat << 'END'\n$ no\nEND\nno\n") == [("cat << 'END'\n$ no\nEND", "no\n")]
