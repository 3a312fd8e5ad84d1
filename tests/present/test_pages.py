"""Templates and static files: nothing a strict content policy refuses, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gamelake
from gamelake.present.charts import Chart, Series
from gamelake.present.sql import highlight

SOURCE = Path(gamelake.__file__).parent
STATIC = SOURCE / "present" / "static"
TEMPLATES = sorted(SOURCE.rglob("templates/**/*.html"))
OWN = [*STATIC.glob("css/*.css"), *STATIC.glob("js/*.js"), *SOURCE.glob("games/*/static/*.css")]


def test_there_are_templates_and_own_static_files():
    assert len(TEMPLATES) > 20
    assert len(OWN) >= 5


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_template_has_inline_script_or_style(file):
    text = file.read_text(encoding="utf-8")

    assert not re.search(r"\sstyle\s*=|<style", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']|hx-on|javascript:", text)
    assert "|safe" not in text


@pytest.mark.parametrize("file", [*TEMPLATES, *OWN], ids=lambda file: file.name)
def test_nothing_comes_from_another_server(file):
    assert not re.search(r"(https?:)?//[a-z0-9]+\.[a-z]", file.read_text(encoding="utf-8"))


def test_vendored_files_carry_their_licences_and_no_source_map():
    for name in ("htmx", "echarts"):
        assert (STATIC / "vendor" / f"{name}-LICENSE.txt").stat().st_size > 500
        (script,) = STATIC.glob(f"vendor/{name}-*.min.js")
        assert "sourceMappingURL" not in script.read_text(encoding="utf-8")
    for font in STATIC.glob("fonts/*.woff2"):
        family = re.sub(r"-latin.*", "", font.name)
        assert "SIL Open Font License" in (STATIC / "fonts" / f"{family}-LICENSE.txt").read_text(
            encoding="utf-8"
        )


def test_highlighted_sql_stays_text():
    sql = "SELECT '<script>' -- <b>\nFROM t WHERE a < 5 /* x */"

    html = str(highlight(sql))

    assert "<script>" not in html
    assert "<b>" not in html
    assert re.sub(r"<[^>]+>", "", html).count("&lt;") == 3


def test_a_chart_has_the_same_figures_as_its_table():
    chart = Chart("Output", [Series("Damage", [1000.0, None, 3000.0])], x=[0, 1000, 2000])

    heads, rows = chart.table()

    assert heads == ["Time", "Damage"]
    assert rows == [["0:00", "1,000"], ["0:01", "–"], ["0:02", "3,000"]]


def test_a_long_chart_has_a_table_one_can_read():
    chart = Chart("Long", [Series("a", list(range(10_000)))], x=list(range(10_000)))

    assert len(chart.table()[1]) <= 400
