"""The site in a real browser, under its real content policy."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def addresses(site):
    """The pages of one night, with its deadliest pull."""
    raid = httpx.get(f"{site}/api/v1/raids").json()[0]["raid_id"]
    night = httpx.get(f"{site}/api/v1/raids/{raid}").json()
    pull = max(night["pulls"], key=lambda pull: pull["deaths"])
    run = httpx.get(f"{site}/api/v1/runs").json()[-1]["id"]
    return {
        "home": "/",
        "raids": "/raids",
        "night": f"/raids/{raid}",
        "pull": f"/raids/{raid}/pulls/{pull['encounter_id']}-{pull['pull_no']}",
        "datasets": "/datasets",
        "dataset": "/datasets/wow.gold.fact_raid_summary",
        "runs": "/runs",
        "run": f"/runs/{run}",
        "query": "/query?sql=SELECT+*+FROM+wow.gold.dim_player",
        "api": "/api",
    }


NAMES = ("home", "raids", "night", "pull", "datasets", "dataset", "runs", "run", "query", "api")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_a_page_renders_without_complaint_and_without_sideways_scrolling(
    visit, addresses, name, width, theme
):
    page = visit(addresses[name], width=width, theme=theme)
    page.wait_for_timeout(400)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").is_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("document.fonts.check('16px \"Hanken Grotesk\"')")


def luminance(color):
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(visit, addresses, theme):
    page = visit(addresses["night"], theme=theme)
    pairs = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter((e) => e.childNodes.length && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.offsetParent)
            .slice(0, 400)
            .map((e) => {
                let b = e;
                while (b && /rgba\\(0, 0, 0, 0\\)|color\\(/.test(getComputedStyle(b).backgroundColor)) b = b.parentElement;
                return [e.className + ' ' + e.textContent.trim().slice(0, 30), getComputedStyle(e).color, getComputedStyle(b ?? document.body).backgroundColor];
            })"""
    )

    assert len(pairs) > 50
    for what, front, back in pairs:
        if "absent" in what:
            continue  # a dot that only says nothing; its cell has a label
        light, dark = sorted((luminance(front), luminance(back)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{what}: {front} on {back}"


def test_the_theme_button_turns_and_is_remembered(visit):
    page = visit("/", theme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.click("#theme-toggle")
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()

    assert before != after
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_charts_are_drawn_and_can_be_read_as_a_table(visit, addresses):
    page = visit(addresses["pull"])
    page.wait_for_selector("[data-chart][data-drawn] canvas")
    box = page.locator("[data-chart]").first.bounding_box()

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    page.wait_for_timeout(300)
    tip = page.locator("[data-chart] strong").first
    assert re.fullmatch(r"\d+:\d\d", tip.inner_text())
    page.click("text=Show as table")

    assert page.locator("#timeline-table table").is_visible()
    assert not page.locator("#timeline .chart").is_visible()


def test_a_click_on_a_player_opens_the_break_down_in_place(visit, addresses):
    page = visit(addresses["pull"])

    page.click(".meter-row[href] >> nth=0")
    page.wait_for_selector("#player-panel h3:has-text('Abilities')")
    page.click("#player-panel .tabs >> text=Damage taken")
    page.wait_for_selector("#player-panel h3:has-text('Sources')")

    assert page.url.endswith(addresses["pull"])


def test_meter_tabs_change_the_meter_in_place(visit, addresses):
    page = visit(addresses["pull"])

    page.click("#meter .tabs >> text=Healing")
    page.wait_for_selector("#meter h2:has-text('Healing done')")

    assert page.locator("#meter .tabs").count() == 1


def test_the_keyboard_reaches_the_content_first(visit):
    page = visit("/")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_a_query_runs_in_place_and_a_mistake_is_explained(visit):
    page = visit("/query", expected="status of 404")

    page.fill("#sql", "SELECT count(*) AS players FROM wow.gold.dim_player")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#result th:has-text('players')")
    assert "sql=SELECT" in page.url
    page.fill("#sql", "SELECT count(*) FROM wow.gold.dim_players")
    with page.expect_response(lambda response: response.status == 404):
        page.click("text=Run query")
    page.wait_for_selector("#result .problem:has-text('dim_player')")


def test_a_run_of_a_terminal_shows_in_the_open_page(visit, raid_project):
    page = visit("/runs")
    page.wait_for_selector("[data-live=on]")
    rows = page.locator("#runs-live tbody tr").count()

    subprocess.run(
        [sys.executable, "-m", "gamelake.cli", "run", "wow.gold.dim_player", "--force"],
        cwd=raid_project.root,
        check=True,
        capture_output=True,
    )
    page.wait_for_function(
        f"document.querySelectorAll('#runs-live tbody tr').length > {rows}", timeout=10_000
    )

    assert "dim_player" in page.locator("#runs-live tbody tr").first.inner_text()


def test_a_run_started_in_the_browser_is_followed_to_its_end(visit):
    page = visit("/datasets/wow.gold.dim_raid")

    page.click("button:has-text('Run dim_raid')")
    page.wait_for_url("**/runs/run_*")
    page.wait_for_selector("h1 + .lede .badge:has-text('succeeded')", timeout=30_000)

    assert page.locator(".live-dot").count() == 0 or page.locator("[data-live=on]").count() == 0
