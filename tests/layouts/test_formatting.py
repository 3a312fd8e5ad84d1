"""Formatting moves text, never meaning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gamelake.errors import LayoutError
from gamelake.games.wow.pack import PACK
from gamelake.layouts.fingerprint import normalised
from gamelake.layouts.formatting import formatted, tidy_sql
from gamelake.layouts.frontmatter import split
from gamelake.layouts.load import make_step

UGLY = """/* ---
# what it writes
outputs:
  - slice: [day]
    grain: [player]     # one row each
    schema: {day: date, player: text, score: bigint}
checks: []
inputSources:
  - {name: clean, dataset: toy.silver.clean}

# what it is
description: Scores
--- */


select day,player,   sum(score) as score  -- select
from clean where note <> 'select a,b' and "from" is null {% if day %}and {{ day | day }} = day{% endif %}
group by day,player ;
"""
TIDY = """/* ---
# what it is
description: Scores
inputSources:
  - {name: clean, dataset: toy.silver.clean}
# what it writes
outputs:
  - slice: [day]
    grain: [player]     # one row each
    schema: {day: date, player: text, score: bigint}
checks: []
--- */
SELECT day, player,   sum(score) AS score  -- select
FROM clean WHERE note <> 'select a,b' AND "from" IS NULL {% if day %}AND {{ day | day }} = day{% endif %}
GROUP BY day, player
"""


def test_an_ugly_layout_becomes_tidy() -> None:
    assert formatted(UGLY, "x.sql") == TIDY
    assert formatted(TIDY, "x.sql") == TIDY
    one, other = (make_step(Path("gold/x.sql"), split(text, "x.sql"), "toy") for text in (UGLY, TIDY))
    assert one.fingerprint == other.fingerprint


def test_json_and_yaml_get_the_same_order() -> None:
    data = {"outputs": [], "transformSql": "select 1", "own": 1, "description": "ä"}

    assert list(json.loads(formatted(json.dumps(data), "x.json"))) == [
        "description",
        "outputs",
        "transformSql",
        "own",
    ]
    assert formatted("outputs: []\ndescription: |\n  a  \n  b\n\n\n", "x.yaml").startswith(
        "description: |\n  a"
    )
    assert formatted("outputs: []\ntransformSql: |\n  a\ndescription: x\n", "x.yml") == (
        "description: x\noutputs: []\ntransformSql: |\n  a\n"
    )
    assert formatted("{outputs: [], description: x}", "x.yaml") == "{outputs: [], description: x}\n"


def test_what_is_no_layout_is_not_formatted() -> None:
    with pytest.raises(LayoutError, match="no front matter"):
        formatted("SELECT 1", "x.sql")


@pytest.mark.parametrize("file", sorted(PACK.layouts.rglob("*.sql")), ids=lambda file: file.stem)
def test_shipped_layouts_are_formatted(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert formatted(text, file.name) == text


PIECES = st.sampled_from(
    [
        "select",
        "SELECT",
        "from",
        "t",
        "where",
        "a",
        ",",
        ";",
        "b.end",
        "AS",
        "end",
        "x'y'",
        "'a,b",
        ";",
        "select'",
        '"Case"',
        "--",
        "{{",
        "x",
        "|",
        "lit",
        "}}",
        "{%",
        "if",
        "a",
        "%}",
        "{%",
        "endif",
        "%}",
        "{#",
        "a",
        "#}",
        "/*",
        "b",
        "*/",
        "group",
        "by",
        "order",
        "(",
        ")",
        "1",
        ".",
        "*",
        "\n",
        "\t",
        "union",
        "all",
        "'it''s'",
        "$$ä$$",
        "left(x)",
        "='",
    ]
)


@given(st.lists(PIECES, max_size=30), st.sampled_from([" ", "", "  ", "\n"]))
@example(["\n", "\n", "select"], " ")
def test_any_sql_keeps_its_fingerprint(pieces, between) -> None:
    sql = between.join(pieces)

    tidy = tidy_sql(sql)

    assert normalised(tidy) == normalised(sql)
    assert tidy_sql(tidy) == tidy
