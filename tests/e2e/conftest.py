"""A real project made by the command line, served, and a headless browser."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from gamelake.packs import open_project
from gamelake.web.app import create_app
from web.web_server import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def gamelake(*arguments, cwd):
    subprocess.run(
        [sys.executable, "-m", "gamelake.cli", *map(str, arguments)], cwd=cwd, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="drives the pages")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture(scope="session")
def raid_project(tmp_path_factory):
    """Three nights of the simulator, imported and built the way a person does it."""
    folder = tmp_path_factory.mktemp("e2e")
    gamelake("init", folder / "guild", "--pack", "wow", cwd=folder)
    root = folder / "guild"
    gamelake("simulate", "wow", "--out", root / "logs", "--nights", 3, "--pulls", 4, "--scale", 0.6, cwd=root)
    gamelake("raid", "import", *sorted((root / "logs").glob("*.txt")), cwd=root)
    gamelake("run", cwd=root)
    with open_project(root) as project:
        yield project


@pytest.fixture(scope="session")
def site(raid_project):
    with served(create_app(raid_project)) as address:
        yield address


@pytest.fixture
def visit(browser, site):
    """Open a page; afterwards nothing may have been logged as an error or asked of another server."""
    opened, complaints, ignored = [], [], []

    def open_page(path, *, width=1280, height=900, theme="light", expected=""):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        page = context.new_page()
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((site, "data:")) else complaints.append(request.url)
            ),
        )
        opened.append(context)
        page.goto(site + path)

        ignored.append(expected)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert [one for one in complaints if not any(part and part in one for part in ignored)] == []
