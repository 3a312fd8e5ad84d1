"""Read-only statements of strangers: what is refused, and how a result is fetched within limits.

Three fences, each enough for the common case: the statement's syntax tree may name only datasets,
what it declares itself and a few harmless table functions; the connection (`Project.connect`) may
touch no file but the current ones of the datasets; and its configuration is locked.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from gamelake.engines.batches import Batches
from gamelake.errors import InputError, NotFoundError, UserError, did_you_mean
from gamelake.http.problems import HttpError
from gamelake.present.rows import jsonable, rows_of
from gamelake.web.models import ColumnInfo, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "repeat", "repeat_row"})
REFUSED_FUNCTIONS = frozenset(
    {"current_setting", "getenv", "getvariable", "read_text", "read_blob", "glob", "write_log", "parse_path"}
)
# names the engine gives a meaning of its own are not for the parts of a statement
_PLAIN_NAME = re.compile(r"(?!sqlite_|duckdb_|pragma_)[a-z_][a-z0-9_]*", re.ASCII)
_BATCH_ROWS = 1_000
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
    if any(
        "\ud800" <= char <= "\udfff" for char in text
    ):  # JSON can name half a character, no engine can read it
        raise InputError("the statement holds half of a character, which is no text in UTF-8")
    select = _syntax_tree(text)
    known = {name.lower() for name in datasets}
    for node, visible in _walk(select):
        _check_node(node, known, visible)
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
        tree = _parsed(parser, text)
    if tree.get("error"):
        raise UserError("this form of statement is not allowed here, expected a plain `SELECT`")
    return tree["statements"]


def _parsed(parser: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    try:
        found = parser.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
        tree: dict[str, Any] = json.loads(found[0]) if found else {"error": True}
    except duckdb.Error as error:
        raise InputError(_brief(error)) from error
    except RecursionError as error:
        hint = "use fewer brackets and operators in a row: a list with `IN`, `list_sum([…])`, a `WITH`"
        raise InputError("the statement is nested too deeply", hint=hint) from error
    return tree


def _walk(tree: Any) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every node of the tree with the names of the `WITH` parts it can see."""
    waiting: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while waiting:
        value, visible = waiting.pop()
        if isinstance(value, dict):
            yield value, visible
            waiting.extend(_below(value, visible))
        elif isinstance(value, list):
            waiting.extend((entry, visible) for entry in value)


def _below(node: dict[str, Any], visible: frozenset[str]) -> Iterator[tuple[Any, frozenset[str]]]:
    """Parts of a node; a `WITH` part is seen by those after it and by the rest of its own node."""
    for entry in (node.get("cte_map") or {}).get("map", ()):
        yield entry["value"], visible
        visible |= {_plain(entry["key"])}
    recursive = node.get("type") == "RECURSIVE_CTE_NODE"
    for part, value in node.items():
        if recursive and part == "right":  # the step that reads the rows found so far
            yield value, visible | {_plain(node["cte_name"])}
        elif part != "cte_map":
            yield value, visible


def _plain(name: str) -> str:
    if not _PLAIN_NAME.fullmatch(name.lower()):
        raise UserError(
            f"`{name[:80]}` cannot name a part of a statement here",
            hint="name what `WITH` declares with letters, digits and `_`",
        )
    return name.lower()


def _check_node(node: dict[str, Any], known: set[str], visible: frozenset[str]) -> None:
    kind = node.get("type")
    if kind == "BASE_TABLE":
        parts = [str(node.get(part) or "") for part in ("catalog_name", "schema_name", "table_name")]
        name = ".".join(part for part in parts if part).lower()
        of_dataset = name in known and all(_PLAIN_NAME.fullmatch(part.lower()) for part in parts)
        if not of_dataset and not (name in visible and not parts[0] and not parts[1]):
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
    except (OverflowError, RecursionError, ValueError, pa.ArrowException) as error:
        hint = "cast the column it is in, for example to VARCHAR"
        raise InputError(f"the result holds what cannot be shown: {str(error)[:200]}", hint=hint) from error
    finally:
        timer.cancel()


class LimitedBatches(Batches):
    """Batches that end in an error which names the limit once they have taken too many bytes."""

    def __init__(self, reader: pa.RecordBatchReader, limit: str, max_bytes: int) -> None:
        super().__init__(reader)
        self._limit = limit
        self._left = self._max = max_bytes

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in super().__iter__():
            self._left -= batch.nbytes
            if self._left < 0:
                problem = f"the rows take more bytes than `{self._limit}` = {self._max:,}"
                raise HttpError(422, "too_large", problem, "select fewer rows or columns")
            yield batch


def fetch_rows(connection: duckdb.DuckDBPyConnection, sql: str, limit: int, max_bytes: int) -> Rows:
    """At most `limit` rows, in a form JSON can carry."""
    started = monotonic()
    relation = connection.sql(f"SELECT * FROM ({sql}\n) LIMIT {int(limit) + 1}")
    columns = [_column(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
    # through Arrow, not `fetchall`: that needs a time zone library for zoned times
    batches = LimitedBatches(relation.to_arrow_reader(_BATCH_ROWS), "max_answer_bytes", max_bytes)
    rows = [[jsonable(value) for value in row] for batch in batches for row in rows_of(batch)]
    return Rows(
        columns=columns, rows=rows[:limit], truncated=len(rows) > limit, seconds=monotonic() - started
    )


def _column(name: str, kind: str) -> ColumnInfo:
    return ColumnInfo(name=name, type=kind.lower(), numeric=kind.lstrip("U").startswith(_NUMERIC))


def _brief(error: duckdb.Error) -> str:
    """What the engine says, without the class it says it by."""
    text = str(error).partition("\nTraceback")[0].strip()
    head, _, rest = text.partition(": ")
    return rest if head.endswith("Error") and rest else text
