"""Variables reach SQL through filters, typed and quoted."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamelake.errors import LayoutError
from gamelake.layouts.lineage import column_origins
from gamelake.layouts.load import load_file
from gamelake.layouts.template import identifier, literal, render, render_text
from gamelake.model.slices import Slice

LAYOUT = """/* ---
description: x
inputSources:
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: {day: when, team: team, n: n}
    grain: [player]
    schema: {day: date, team: text, n: int, player: text, total: bigint}
--- */

-- the first line
SELECT day, team, n, player, sum(damage + overkill) AS total FROM pulls
WHERE day = {{ when | day }} AND team = {{ team | lit }} AND n = {{ n | lit }}{% if team == "a" %} AND true{% endif %}
GROUP BY ALL
"""


@pytest.fixture
def step(tmp_path: Path):
    file = tmp_path / "gold" / "facts.sql"
    file.parent.mkdir()
    file.write_text(LAYOUT)
    return load_file(file, "wow")


def test_each_slice_gets_its_own_sql(step) -> None:
    sql = render(step, Slice.of(day="2026-02-16", team="O'Neill's", n="7"))

    assert "day = DATE '2026-02-16' AND team = 'O''Neill''s' AND n = 7\n" in sql


def test_conditions_see_plain_values(step) -> None:
    assert "n = 7 AND true\n" in render(step, Slice.of(day="2026-02-16", team="a", n="7"))


def test_a_slice_value_of_a_wrong_type_is_refused(step) -> None:
    with pytest.raises(ValueError, match="Invalid isoformat string"):
        render(step, Slice.of(day="monday", team="a", n="7"))


def test_what_a_layout_says_is_what_the_step_is(step) -> None:
    output = step.outputs[0]

    assert step.name == "wow.gold.facts"
    assert step.sql_line == 11
    assert step.variables == {"when": "date", "team": "text", "n": "int"}
    assert output.slice_columns == ("day", "team", "n")
    assert [c.name for c in output.schema.columns if not c.nullable] == ["day", "team", "n", "player"]
    assert output.grain_proven


def test_columns_are_traced_to_the_input(step) -> None:
    assert [(o.dataset, o.column) for o in column_origins(step, "total", {})] == [
        ("wow.silver.pulls", "damage"),
        ("wow.silver.pulls", "overkill"),
    ]


@given(st.text())
def test_any_text_survives_as_a_literal(text) -> None:
    if "\0" in text:
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        return

    assert CONNECTION.execute(f"SELECT {literal(text)}").fetchall() == [(text,)]


@given(st.text(min_size=1, max_size=40))
def test_any_text_survives_as_an_identifier(text) -> None:
    assert identifier(text)[1:-1].replace('""', "").count('"') == 0


CONNECTION = duckdb.connect()


def test_a_value_that_cannot_be_a_literal_is_refused() -> None:
    with pytest.raises(LayoutError, match="takes text, numbers, dates and truth values, not list"):
        render_text("SELECT {{ x | lit }}", {"x": [1]})


INPUTS = """inputSources:
  - {name: a, dataset: wow.silver.pulls}
  - {name: b, dataset: wow.silver.events}
"""
JOINED = f"""/* ---
description: x
{INPUTS}outputs:
  - slice: [n]
    grain: [n]
    schema: {{n: int, lost: bigint}}
--- */
SELECT n, sum(a.v - b.v) AS lost FROM a INNER JOIN b USING (n) WHERE n = {{{{ n | lit }}}} GROUP BY n
"""


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (JOINED.replace("description: x", "description: y"), True),
        (JOINED.replace(INPUTS, "\n".join(["inputSources:", *reversed(INPUTS.splitlines()[1:]), ""])), True),
        (
            JOINED.replace("name: a", "name: c").replace("name: b", "name: a").replace("name: c", "name: b"),
            False,
        ),
        (JOINED.replace("n: int", "n: text"), False),
    ],
    ids=["description", "order of inputs", "swapped inputs", "type of a variable"],
)
def test_what_names_stand_for_is_part_of_the_fingerprint(tmp_path: Path, changed, same) -> None:
    file = tmp_path / "gold" / "x.sql"
    file.parent.mkdir()
    found = []
    for text in (JOINED, changed):
        file.write_text(text)
        found.append(load_file(file, "wow").fingerprint)

    assert (found[0] == found[1]) is same
