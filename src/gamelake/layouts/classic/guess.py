"""Guessing a schema from SQL alone, for an author to look at."""

from __future__ import annotations

import re

from gamelake.layouts.template import render_text

_BY_TYPE = {
    **dict.fromkeys(("VARCHAR", "TEXT", "CHAR"), "text"),
    **dict.fromkeys(("INT", "SMALLINT", "TINYINT"), "int"),
    **dict.fromkeys(("BIGINT", "INT128", "UBIGINT"), "bigint"),
    **dict.fromkeys(("DOUBLE", "FLOAT", "DECIMAL"), "double"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ", "DATETIME"), "timestamp"),
    "DATE": "date",
    "BOOLEAN": "bool",
    "UUID": "uuid",
}
_BY_NAME = (
    (re.compile(r"(^|_)(date|day|ds)$"), "date"),
    (re.compile(r"(^|_)(at|time|timestamp)$"), "timestamp"),
    (re.compile(r"amount|rev|money|rate|price|ratio|share|usd|vnd"), "double"),
    (re.compile(r"(^|_)(count|quantity|total|num|n)(_|$)"), "bigint"),
    (re.compile(r"(^|_)level$"), "int"),
)
_SAMPLES = {"date": "2000-01-01", "int": 1, "text": "x", "ident": "x"}


def guessed_schema(sql: str, variables: dict[str, str], slice_columns: set[str]) -> dict[str, str]:
    """Column → type of the result, by what the SQL computes, else by the name; empty when the columns are unknown."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.annotate_types import annotate_types

    from gamelake.errors import LayoutError
    from gamelake.layouts.query import Query, QueryError

    values = {name: _SAMPLES[kind] for name, kind in variables.items()}
    try:
        rendered = render_text(sql, values)
        names = Query(rendered).columns()
        tree = annotate_types(sqlglot.parse_one(rendered, read="duckdb"), dialect="duckdb")
    except (LayoutError, QueryError, SqlglotError):
        return {}
    if not names or not all(re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in names):
        return {}
    found = {}
    for item in tree.selects if isinstance(tree, exp.Query) else []:
        kind = item.type
        found[item.output_name] = getattr(getattr(kind, "this", None), "name", "")
    return {name: "date" if name in slice_columns else _kind(name, found.get(name, "")) for name in names}


def _kind(name: str, found: str) -> str:
    if found in _BY_TYPE:
        return _BY_TYPE[found]
    return next((kind for pattern, kind in _BY_NAME if pattern.search(name)), "text")
