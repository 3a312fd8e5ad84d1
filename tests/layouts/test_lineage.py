"""Columns are followed to the inputs, whatever stands between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gamelake.games.wow.pack import PACK
from gamelake.layouts.frontmatter import split
from gamelake.layouts.lineage import column_origins, columns_origins
from gamelake.layouts.load import load_folder, make_step
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.settings import Settings

T = "toy.silver.t"
U = "toy.silver.u"
SCHEMAS = {
    name: Schema(tuple(Column(column, ColumnType.BIGINT) for column in columns))
    for name, columns in {T: ("id", "a", "b"), U: ("id", "c")}.items()
}


def step_of(sql: str, view: str = "x"):
    inputs = "".join(
        f"  - {{name: {name}, dataset: toy.silver.{name}}}\n" for name in ("t", "u") if f" {name}" in sql
    )
    front = (
        f"/* ---\ndescription: x\ninputSources:\n{inputs}outputs:\n  - schema: {{{view}: bigint}}\n--- */\n"
    )
    return make_step(Path("gold/case.sql"), split(front + sql, "case.sql"), "toy")


@pytest.mark.parametrize(
    ("sql", "origins"),
    [
        ("SELECT a + b AS x FROM t", [(T, "a"), (T, "b")]),
        ("SELECT 1 AS x FROM t", []),
        ("WITH k AS (SELECT a AS y FROM t) SELECT y AS x FROM k", [(T, "a")]),
        ("WITH k AS (SELECT * FROM t), l AS (SELECT * FROM k) SELECT b AS x FROM l", [(T, "b")]),
        ("WITH k AS (SELECT a AS x FROM t) SELECT * FROM k", [(T, "a")]),
        ("SELECT a AS x FROM t UNION ALL SELECT c FROM u", [(T, "a"), (U, "c")]),
        ("SELECT x FROM (SELECT a AS x FROM t UNION SELECT c AS y FROM u) AS q", [(T, "a"), (U, "c")]),
        ("SELECT a AS x FROM t UNION ALL BY NAME SELECT c AS x FROM u", [(T, "a"), (U, "c")]),
        ("SELECT c AS x FROM t JOIN u USING (id)", [(U, "c")]),
        ("SELECT id AS x FROM t JOIN u USING (id)", [(T, "id"), (U, "id")]),
        ("SELECT t.a - u.c AS x FROM t LEFT JOIN u ON u.id = t.id", [(T, "a"), (U, "c")]),
        ("SELECT sum(a) OVER (PARTITION BY b ORDER BY id) AS x FROM t", [(T, "a"), (T, "b"), (T, "id")]),
        ("SELECT CASE WHEN a > 1 THEN b END AS x FROM t", [(T, "a"), (T, "b")]),
        ("SELECT (SELECT max(c) FROM u) AS x FROM t", [(U, "c")]),
        ("SELECT (SELECT max(c) FROM u WHERE u.id = t.id) AS x FROM t", [(U, "c")]),
        ("SELECT max(a) AS x FROM t GROUP BY b", [(T, "a")]),
        ("SELECT count(*) AS x FROM t", []),
        (
            "WITH RECURSIVE r AS (SELECT a AS x FROM t UNION ALL SELECT x + 1 FROM r WHERE x < 9) SELECT x FROM r",
            [(T, "a")],
        ),
    ],
)
def test_a_column_is_followed_to_its_inputs(sql, origins) -> None:
    found = column_origins(step_of(sql), "x", SCHEMAS)

    assert [(origin.dataset, origin.column) for origin in found] == origins


def test_each_origin_has_its_line() -> None:
    step = step_of("WITH k AS (\n  SELECT\n    a,\n    b\n  FROM t\n)\nSELECT a * b AS x\nFROM k")
    starred = step_of("WITH k AS (\n  SELECT *\n  FROM t\n)\nSELECT a AS x\nFROM k")

    found = {origin.column: (origin.file, origin.line) for origin in column_origins(step, "x", SCHEMAS)}
    [star] = column_origins(starred, "x", SCHEMAS)
    assert found == {"a": ("gold/case.sql", 10), "b": ("gold/case.sql", 11)}
    assert star.line in {9, 10}


def test_every_column_of_the_shipped_layouts_is_traced(tmp_path: Path) -> None:
    (tmp_path / "gamelake.toml").write_text('packs = ["wow"]\n')
    steps = load_folder(PACK.layouts, "wow")
    members = [*steps, *PACK.steps(Settings.load(tmp_path))]
    schemas = {str(output.dataset): output.schema for member in members for output in member.outputs}

    for step in steps:
        found = columns_origins(step, schemas)
        columns = step.outputs[0].schema.names
        assert [name for name in columns if not found[name] and name != "kills"] == []
        assert all(
            origin.column in schemas[origin.dataset].names and origin.line > step.sql_line - 1
            for name in columns
            for origin in found[name]
        )


def test_the_command_goes_all_the_way(tmp_path: Path) -> None:
    from gamelake.pipeline.lineage import column_history
    from sample_project import create, open_sample

    create(tmp_path)
    with open_sample(tmp_path) as project:
        edges = column_history(project, "toy.gold.players", "best")

    assert json.loads(json.dumps([edge.to_json() for edge in edges])) == [
        {
            "dataset": "toy.gold.players",
            "column": "best",
            "from": {
                "dataset": "toy.gold.daily",
                "column": "score",
                "file": str(tmp_path / "layouts/gold/players.sql"),
                "line": 10,
            },
        },
        {
            "dataset": "toy.gold.daily",
            "column": "score",
            "from": {
                "dataset": "toy.silver.clean",
                "column": "score",
                "file": str(tmp_path / "layouts/gold/daily.sql"),
                "line": 13,
            },
        },
    ]
