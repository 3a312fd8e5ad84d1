"""Generated pages are fresh; every command, setting and error code has its place; links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gamelake import errors
from gamelake.cli.catalogue import all_commands
from gamelake.layouts.document import known_keys
from gamelake.settings import describe

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs.py", "--check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_every_command_has_a_heading() -> None:
    text = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")

    assert not [link.name for link in all_commands() if f"### `gamelake {link.name}`" not in text]


def test_every_setting_and_error_code_is_listed() -> None:
    settings = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    codes = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")

    assert not [name for name, _, _ in describe() if f"| `{name}` |" not in settings]
    assert f"| `{errors.LeaseLostError.code}` |" in codes


@pytest.mark.parametrize("place", ["", "inputSources", "outputs", "schema", "checks"])
def test_every_layout_key_is_explained_where_it_stands(place: str) -> None:
    text = (ROOT / "docs/reference/layouts.md").read_text(encoding="utf-8")
    heading = f"## `{place}`" if place else "## Top level"
    section = text.partition(heading)[2].partition("\n## ")[0]

    assert not [key for key in known_keys((place,)) if f"| `{key}` |" not in section]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]

    assert not [target for target in targets if not (page.parent / target).exists()]
