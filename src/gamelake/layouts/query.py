"""What a query says without running it: the tables it reads, its columns, and what makes rows unique."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.optimizer.scope import Scope, traverse_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_GENERATORS = {"range", "generate_series", "unnest"}  # table functions that read nothing


@dataclass(frozen=True)
class Problem:
    """Something wrong at a line of the SQL text, 1-based."""

    text: str
    line: int
    hint: str | None = None


@dataclass(frozen=True)
class TableReference:
    """A table named in the SQL, outside of its own `WITH`."""

    name: str
    line: int


class QueryError(Exception):
    """The SQL text is not one query."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class Query:
    """One parsed query."""

    def __init__(self, sql: str) -> None:
        self.tree = _parse(sql)
        self._scopes = traverse_scope(self.tree)

    def tables(self) -> tuple[list[TableReference], list[Problem]]:
        """Tables read from outside the query, in order of the text, and references that are not plain names."""
        found: list[TableReference] = []
        problems: list[Problem] = []
        for table in self._outside_tables():
            line = line_of(table)
            if isinstance(table.this, exp.Func):
                problems += _table_function(table, line)
            elif table.db or table.catalog:
                shown = table.sql(dialect="duckdb", comments=False).partition(" ")[0]
                hint = "declare the dataset under `inputSources` and read its view name"
                problems.append(Problem(f"`{shown}` is read without being declared", line, hint))
            else:
                found.append(TableReference(table.name, line))
        return sorted(found, key=lambda reference: reference.line), problems

    def columns(self) -> list[str] | None:
        """Names of the result's columns; None when only an engine can tell."""
        return _columns(self._scopes[-1]) if self._scopes else None

    def stars(self) -> list[Problem]:
        """Places where the result takes whatever columns an input happens to have."""
        if not self._scopes or _columns(self._scopes[-1]) is not None:
            return []
        hint = "name the columns, so that a new column of the input cannot slip into the output"
        return [
            Problem("the final SELECT takes `*` from an input", line_of(star), hint)
            for select in _final_selects(self._scopes[-1])
            for star in select.expressions
            if star.is_star
        ]

    def unique_on(self, columns: Iterable[str], constant: Iterable[str]) -> bool:
        """True when the text proves that no two rows agree on `columns`; `constant` ones never differ."""
        wanted = {name.lower() for name in columns} | {name.lower() for name in constant}
        keys = unique_keys(self._scopes[-1]) if self._scopes else []
        return any(key <= wanted for key in keys)

    def _outside_tables(self) -> Iterator[exp.Table]:
        seen: set[int] = set()
        for scope in self._scopes:
            for source in scope.sources.values():
                if isinstance(source, exp.Table) and id(source) not in seen:
                    seen.add(id(source))
                    yield source


def _parse(sql: str) -> exp.Query:
    try:
        statements = [tree for tree in sqlglot.parse(sql, read="duckdb") if tree is not None]
    except ParseError as err:
        first = err.errors[0]
        text = f"the SQL does not parse near `{first.get('highlight') or 'the end'}`: {_plain(first)}"
        raise QueryError(Problem(text, int(first.get("line") or 1))) from err
    except TokenError as err:
        raise QueryError(Problem(f"the SQL does not parse: {err}", 1)) from err
    if len(statements) != 1:
        text = f"a layout has one query, this has {len(statements)} statements"
        raise QueryError(Problem(text, 1))
    if not isinstance(statements[0], exp.Query):
        kind = statements[0].key.upper()
        raise QueryError(Problem(f"a layout has one query, this is a {kind} statement", 1))
    return statements[0]


_LACKING = re.compile(r"Required keyword: '\w+' missing for <class '[\w.]*\.(\w+)'>")


def _plain(error: Mapping[str, Any]) -> str:
    """What the parser says, without the names of its classes."""
    text = str(error.get("description"))
    found = _LACKING.match(text)
    return f"something is missing in or after `{found[1].upper()}`" if found else text.rstrip(".")


def line_of(node: Any) -> int:
    """First line of the SQL text that a part of the query stands on; 1 when it stands nowhere."""
    lines = [part.meta["line"] for part in node.walk() if "line" in part.meta]
    return min(lines, default=1)


def _table_function(table: exp.Table, line: int) -> list[Problem]:
    function = cast("exp.Func", table.this)
    name = (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()
    if name in _GENERATORS or isinstance(function, exp.GenerateSeries | exp.Unnest):
        return []
    hint = "declare a dataset under `inputSources` and read its view name"
    return [Problem(f"`{name}()` reads past the declared inputs", line, hint)]


def _final_selects(scope: Scope) -> list[exp.Select]:
    if scope.set_operation_scopes:
        return [select for part in scope.set_operation_scopes for select in _final_selects(part)]
    return [scope.expression] if isinstance(scope.expression, exp.Select) else []


def _columns(scope: Scope) -> list[str] | None:
    if scope.set_operation_scopes:
        return None if scope.expression.args.get("by_name") else _columns(scope.set_operation_scopes[0])
    if not isinstance(scope.expression, exp.Select):
        return None
    names: list[str] = []
    for item in scope.expression.expressions:
        expanded = _star_columns(item, scope) if item.is_star else [item.output_name]
        if expanded is None or "" in expanded:
            return None  # an unnamed expression gets its name from the engine
        names += expanded
    return names


def _star_columns(star: exp.Expression, scope: Scope) -> list[str] | None:
    plain = star if isinstance(star, exp.Star) else star.this
    if not isinstance(plain, exp.Star) or any(
        plain.args.get(key) for key in ("except_", "replace", "rename")
    ):
        return None
    if scope.expression.args.get("joins") and isinstance(star, exp.Star):
        return None  # USING merges columns
    wanted = [star.table] if isinstance(star, exp.Column) else list(scope.selected_sources)
    names: list[str] = []
    for alias in wanted:
        source = scope.sources.get(alias)
        inner = _columns(source) if isinstance(source, Scope) else None
        if inner is None:
            return None
        names += inner
    return names


def unique_keys(scope: Scope) -> list[set[str]]:
    """Sets of result columns (lower case) that identify a row, as far as the text proves it."""
    select = scope.expression
    if not isinstance(select, exp.Select):
        return []
    keys: list[set[str]] = []
    outputs = _outputs(select)
    columns = _columns(scope)
    if select.args.get("distinct") and columns and not select.args["distinct"].args.get("on"):
        keys.append({name.lower() for name in columns})
    if any(isinstance(item.unalias(), exp.Unnest | exp.Explode) for item in select.expressions):
        return keys
    group = select.args.get("group")
    if group is not None:
        keys += _group_keys(select, group, outputs)
    elif any(item.find(exp.AggFunc) and not item.find(exp.Window) for item in select.expressions):
        keys.append(set())  # an aggregate without GROUP BY has one row
    else:
        keys += _inherited_keys(scope, select, outputs)
    return keys + _numbered_keys(select, outputs)


def _outputs(select: exp.Select) -> dict[str, str]:
    """Expression text → name of the result column that shows it unchanged."""
    return {
        item.unalias().sql(dialect="duckdb", comments=False).lower(): item.output_name.lower()
        for item in select.expressions
    }


def _shown(expression: exp.Expression, outputs: dict[str, str]) -> str | None:
    text = expression.sql(dialect="duckdb", comments=False).lower()
    if text in outputs:
        return outputs[text]
    # GROUP BY may name a result column instead of the expression behind it
    by_alias = isinstance(expression, exp.Column) and not expression.table and text in outputs.values()
    return text if by_alias else None


def _group_keys(select: exp.Select, group: exp.Group, outputs: dict[str, str]) -> list[set[str]]:
    if any(group.args.get(kind) for kind in ("grouping_sets", "cube", "rollup")):
        return []
    if group.args.get("all"):
        plain = [item for item in select.expressions if not item.find(exp.AggFunc)]
        return [{item.output_name.lower() for item in plain}]
    names = [_group_name(item, select, outputs) for item in group.expressions]
    return [{name for name in names if name}] if all(names) else []


def _group_name(item: exp.Expression, select: exp.Select, outputs: dict[str, str]) -> str | None:
    if isinstance(item, exp.Literal) and item.is_int:
        position = int(item.this)
        return (
            select.expressions[position - 1].output_name.lower()
            if position <= len(select.expressions)
            else None
        )
    return _shown(item, outputs)


def _inherited_keys(scope: Scope, select: exp.Select, outputs: dict[str, str]) -> list[set[str]]:
    """Keys of the only thing selected from, under the names the result gives them."""
    sources = list(scope.selected_sources.values())
    if len(sources) != 1 or select.args.get("joins") or select.args.get("laterals"):
        return []
    source = sources[0][1]
    if not isinstance(source, Scope):
        return []
    starred = any(item.is_star for item in select.expressions)
    names: dict[str, str] = {}
    for text, name in outputs.items():
        names[text.rpartition(".")[2].strip('"')] = name
    renamed = [{names.get(key, key if starred else "") for key in keys} for keys in unique_keys(source)]
    return [keys for keys in renamed if "" not in keys]


def _numbered_keys(select: exp.Select, outputs: dict[str, str]) -> list[set[str]]:
    """`QUALIFY row_number() OVER (PARTITION BY k …) = 1` keeps one row for each `k`."""
    qualify = select.args.get("qualify")
    condition = qualify.this if qualify is not None else None
    if not isinstance(condition, exp.EQ) or condition.expression.sql() != "1":
        return []
    window = condition.this
    if not isinstance(window, exp.Window) or not isinstance(window.this, exp.RowNumber):
        return []
    names = [_shown(item, outputs) for item in window.args.get("partition_by") or []]
    return [{name for name in names if name}] if names and all(names) else []
