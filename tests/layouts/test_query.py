"""What the text of a query proves."""

from __future__ import annotations

import pytest

from gamelake.layouts.fingerprint import normalised
from gamelake.layouts.query import Query


@pytest.mark.parametrize(
    ("sql", "proven"),
    [
        ("SELECT player, sum(x) AS s FROM t GROUP BY player", True),
        ("SELECT player, sum(x) AS s FROM t GROUP BY 1", True),
        ("SELECT player, sum(x) AS s FROM t GROUP BY ALL", True),
        ("SELECT t.player, sum(x) AS s FROM t GROUP BY t.player", True),
        ("SELECT lower(name) AS player, sum(x) AS s FROM t GROUP BY lower(name)", True),
        ("SELECT lower(name) AS player, sum(x) AS s FROM t GROUP BY player", True),
        ("SELECT day, player, sum(x) AS s FROM t GROUP BY day, player", True),  # day is constant in a slice
        ("SELECT spell, player, sum(x) AS s FROM t GROUP BY spell, player", False),
        ("SELECT player, sum(x) AS s FROM t GROUP BY player, spell", False),
        ("SELECT player, sum(x) AS s FROM t GROUP BY ROLLUP (player)", False),
        ("SELECT player, x FROM t", False),
        ("SELECT DISTINCT player FROM t", True),
        ("SELECT DISTINCT player, x FROM t", False),
        ("SELECT max(player) AS player FROM t", True),
        ("WITH a AS (SELECT player, sum(x) AS s FROM t GROUP BY player) SELECT player, s FROM a", True),
        ("WITH a AS (SELECT player, sum(x) AS s FROM t GROUP BY player) SELECT * FROM a WHERE s > 1", True),
        ("WITH a AS (SELECT p, sum(x) AS s FROM t GROUP BY p) SELECT p AS player, s FROM a", True),
        ("WITH a AS (SELECT p, q, sum(x) AS s FROM t GROUP BY p, q) SELECT p AS player, s FROM a", False),
        (
            "WITH a AS (SELECT player, sum(x) AS s FROM t GROUP BY player) SELECT a.player, u.y FROM a JOIN u USING (player)",
            False,
        ),
        ("SELECT player, x FROM t QUALIFY row_number() OVER (PARTITION BY player ORDER BY x) = 1", True),
        ("SELECT player, x FROM t QUALIFY row_number() OVER (PARTITION BY player ORDER BY x) = 2", False),
        ("SELECT player, x FROM t QUALIFY rank() OVER (PARTITION BY player ORDER BY x) = 1", False),
        ("SELECT player FROM t GROUP BY player UNION ALL SELECT player FROM u GROUP BY player", False),
        ("SELECT player, unnest(list(x)) AS x FROM t GROUP BY player", False),
        ("SELECT player, sum(x) OVER () AS s FROM t", False),
    ],
)
def test_unique_rows_are_proven_or_not(sql, proven) -> None:
    assert Query(sql).unique_on(["player"], ["day"]) is proven


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1 FROM a JOIN b USING (x)", ["a", "b"]),
        ("WITH a AS (SELECT * FROM a) SELECT 1 AS x FROM a", ["a"]),
        ("WITH c AS (SELECT * FROM a) SELECT 1 AS x FROM c", ["a"]),
        ("SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x)", ["a", "b"]),
        ("SELECT (SELECT max(x) FROM b) AS y FROM a", ["a", "b"]),
        ("SELECT x FROM a UNION ALL SELECT x FROM b", ["a", "b"]),
        ("FROM a SELECT x", ["a"]),
        ("SELECT x FROM a, LATERAL (SELECT y FROM b WHERE b.z = a.z)", ["a", "b"]),
        ("SELECT r.range AS x FROM range(3) AS r", []),
        ("SELECT u.x FROM a, unnest(a.list) AS u(x)", ["a"]),
        ("SELECT 1 AS x FROM a SEMI JOIN b USING (x)", ["a", "b"]),
        ("SELECT 1 AS x FROM a ASOF JOIN b ON a.t >= b.t", ["a", "b"]),
        ("SELECT 1 AS x FROM a WHERE x IN (SELECT x FROM b)", ["a", "b"]),
        (
            "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 3) SELECT n FROM c, a",
            ["a"],
        ),
    ],
)
def test_tables_read_from_outside(sql, tables) -> None:
    found, problems = Query(sql).tables()

    assert sorted({reference.name for reference in found}) == tables
    assert problems == []


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT a, b AS c FROM t", ["a", "c"]),
        ("WITH x AS (SELECT a, b FROM t) SELECT * FROM x", ["a", "b"]),
        ("SELECT * FROM t", None),
        ("SELECT x.*, 1 AS n FROM (SELECT a FROM t) AS x", ["a", "n"]),
        ("SELECT count(*) FROM t", None),
        ("SELECT a FROM t UNION ALL SELECT b FROM u", ["a"]),
        ("SELECT a FROM t UNION ALL BY NAME SELECT b FROM u", None),
    ],
)
def test_result_columns_are_known_or_not(sql, columns) -> None:
    assert Query(sql).columns() == columns


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SELECT a FROM t", "select   A\nfrom T -- all", True),
        ("SELECT a /* x */ FROM t", "SELECT a FROM t;", True),
        ("SELECT 'A'", "SELECT 'a'", False),
        ("SELECT 'a  b'", "SELECT 'a b'", False),
        ("SELECT '--x' FROM t", "SELECT '--y' FROM t", False),
        ('SELECT "A"', 'SELECT "a"', False),
        ("SELECT a, b", "SELECT b, a", False),
        ("SELECT {# why #} 1", "SELECT 1", True),
        ("SELECT ab", "SELECT a b", False),
    ],
)
def test_only_meaning_counts_for_the_fingerprint(one, other, same) -> None:
    assert (normalised(one) == normalised(other)) is same
