"""What must never be committed: registry addresses, paths of one machine, lock files, large files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Written in pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a package registry": "|".join(
        (
            r"py" + r"pi\.org",
            "python" + "hosted",
            "registry" + r"\.npmjs",
            "npm" + r"js\.com",
            r"deb\.deb" + "ian",
        )
    ),
    "an index address": r"index[-_]url\s*[=:]?\s*[\"']?(?:https?|file)" + "://",
    "a path of one machine": r"(?<![\w.])/(?:work|root|home/(?!someone)\w+)" + "/",
    "a merge mark": "^<" + "{6}|^>" + "{6}",
}
LOCKS = {
    "uv.lock",
    "poetry.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pdm.lock",
    "Pipfile.lock",
}
MOST_BYTES = 1_500_000


def committed() -> list[Path]:
    """Files git tracks, or would track next."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git work tree")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)

    wrong = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in committed()
        if "vendor" not in path.parts
        if (found := pattern.search(path.read_bytes().decode("utf-8", "ignore")))
    ]

    assert not wrong


def test_no_lock_file() -> None:
    assert not [path for path in committed() if path.name in LOCKS]


def test_no_large_file() -> None:
    assert not [str(path) for path in committed() if path.stat().st_size > MOST_BYTES]


@pytest.mark.parametrize(
    "file", ["constraints.txt", "tests/integrations/airflow.txt", "tests/integrations/dagster.txt"]
)
def test_constraints_are_plain_pins_in_order(file: str) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()

    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.+]*", line) for line in lines)
    assert lines == sorted(lines, key=lambda line: line.encode())
