"""Read-only statements of strangers: what is refused, and how a result is fetched within limits.

Three fences, each enough for the common case: the statement's syntax tree may name only datasets,
its own parts and a few harmless table functions; the connection (`Project.connect`) may touch no
file outside the lake; and its configuration is locked.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any

import duckdb

from gamelake.errors import InputError, NotFoundError, UserError, did_you_mean
from gamelake.http.problems import HttpError
from gamelake.present.rows import jsonable
from gamelake.web.models import ColumnInfo, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "repeat", "repeat_row"})
REFUSED_FUNCTIONS = frozenset(
    {"current_setting", "getenv", "getvariable", "read_text", "read_blob", "glob", "write_log", "parse_path"}
)
_NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL")


def check_statement(sql: str, datasets: Sequence[str], *, max_chars: int = 20_000) -> str:
    """The statement without its closing semicolon, when it is one SELECT over known datasets.

    Anything else is a UserError that says what is allowed.
    """
    text = sql.strip().rstrip(";").strip()
    if not text:
        raise UserError("the statement is empty", hint="write `SELECT … FROM pack.layer.name`")
    if len(text) > max_chars:
        raise UserError(f"the statement has {len(text):,} characters, `max_statement_chars` = {max_chars:,}")
    select = _syntax_tree(text)
    known = {name.lower() for name in datasets}
    own = {str(name).lower() for name in _cte_names(select)}
    for node in _walk(select):
        _check_node(node, known, own)
    return text


def _syntax_tree(text: str) -> Any:
    with duckdb.connect(config={"enable_external_access": False}) as parser:
        try:
            statements = parser.extract_statements(text)
        except duckdb.Error as error:
            raise InputError(_brief(error)) from error
        if len(statements) != 1:
            raise UserError(f"{len(statements)} statements at once, expected one", hint="run them one by one")
        if statements[0].type != duckdb.StatementType.SELECT:
            kind = statements[0].type.name.lower().removesuffix("_statement")
            raise UserError(
                f"a statement of kind `{kind}` is not allowed here, expected `SELECT`",
                hint="this page only reads; datasets are changed by steps",
            )
        found = parser.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    tree = json.loads(found[0]) if found else {"error": True}
    if tree.get("error"):
        raise UserError("this form of statement is not allowed here, expected a plain `SELECT`")
    return tree["statements"]


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _cte_names(tree: Any) -> Iterator[Any]:
    for node in _walk(tree):
        entries = node.get("cte_map")
        if isinstance(entries, dict):
            yield from (entry.get("key") for entry in entries.get("map", []))
        if node.get("type") == "RECURSIVE_CTE_NODE":
            yield node.get("cte_name")


def _check_node(node: dict[str, Any], known: set[str], own: set[str]) -> None:
    kind = node.get("type")
    if kind == "BASE_TABLE":
        parts = [node.get(part) or "" for part in ("catalog_name", "schema_name", "table_name")]
        name = ".".join(part for part in parts if part).lower()
        if name not in known and not (name in own and not parts[0] and not parts[1]):
            hint = did_you_mean(name, known) or "the page lists the datasets there are"
            raise NotFoundError(f"there is no dataset `{name}`", hint=hint)
    elif kind == "TABLE_FUNCTION":
        function = str(node.get("function", {}).get("function_name", "")).lower()
        if function not in TABLE_FUNCTIONS:
            raise UserError(
                f"the table function `{function}` is not allowed here",
                hint=f"read datasets by name; allowed are: {', '.join(sorted(TABLE_FUNCTIONS))}",
            )
    elif kind == "SHOW_REF" and not _shows_a_query(node):
        raise UserError("`SHOW` is not allowed here", hint="the page lists the datasets and their columns")
    elif kind == "FUNCTION" and str(node.get("function_name", "")).lower() in REFUSED_FUNCTIONS:
        raise UserError(f"the function `{node['function_name']}` is not allowed here")


def _shows_a_query(node: dict[str, Any]) -> bool:
    """True for DESCRIBE and SUMMARIZE of a query, whose parts are checked like any other."""
    return bool(node.get("query"))


@contextmanager
def time_limit(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what the connection does when the time is over."""
    timer = Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise HttpError(
            408,
            "timeout",
            f"the statement ran longer than `statement_seconds` = {seconds:g}",
            "narrow it by a slice column, or run it with `gamelake query`",
        ) from error
    except duckdb.Error as error:
        raise InputError(_brief(error)) from error
    finally:
        timer.cancel()


def fetch_rows(connection: duckdb.DuckDBPyConnection, sql: str, limit: int) -> Rows:
    """At most `limit` rows, in a form JSON can carry."""
    started = monotonic()
    relation = connection.sql(f"SELECT * FROM ({sql}\n) LIMIT {int(limit) + 1}")
    columns = [_column(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
    table = relation.to_arrow_table()  # not `fetchall`: that needs a time zone library for zoned times
    values = [column.to_pylist() for column in table.slice(0, limit).columns]
    rows = [[jsonable(value) for value in row] for row in zip(*values, strict=True)]
    return Rows(columns=columns, rows=rows, truncated=table.num_rows > limit, seconds=monotonic() - started)


def _column(name: str, kind: str) -> ColumnInfo:
    return ColumnInfo(name=name, type=kind.lower(), numeric=kind.lstrip("U").startswith(_NUMERIC))


def _brief(error: duckdb.Error) -> str:
    """What the engine says, without the class it says it by."""
    text = str(error).partition("\nTraceback")[0].strip()
    head, _, rest = text.partition(": ")
    return rest if head.endswith("Error") and rest else text
