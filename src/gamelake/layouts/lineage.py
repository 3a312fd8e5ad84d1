"""Which input columns a column of the output is computed from, and where the SQL reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gamelake.layouts.semantics import qualified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

    from gamelake.errors import Place
    from gamelake.model.schema import Schema
    from gamelake.model.steps import SqlStep


@dataclass(frozen=True, order=True)
class Origin:
    """One column of an input, and the line of the layout that reads it first."""

    dataset: str
    column: str
    file: str = ""
    line: int = 0

    def to_json(self) -> dict[str, Any]:
        """The origin as `lineage --json` shows it."""
        return dict(vars(self))


def column_origins(step: SqlStep, column: str, schemas: Mapping[str, Schema]) -> list[Origin]:
    """What one output column is computed from, through CTEs, unions, windows and stars; in order of dataset."""
    return columns_origins(step, schemas).get(column.lower(), [])


def columns_origins(step: SqlStep, schemas: Mapping[str, Schema]) -> dict[str, list[Origin]]:
    """The same for every column of the result, by its name in lower case; the SQL is parsed once."""
    from sqlglot.optimizer.scope import traverse_scope

    known = {view: schemas[str(dataset)] for view, dataset in step.inputs.items() if str(dataset) in schemas}
    tree = qualified(step, known)
    scopes = [] if tree is None else traverse_scope(tree)
    if not scopes:
        return {}
    tracer = _Tracer({id(scope.expression): scope for scope in scopes})
    views = {name.lower(): str(dataset) for name, dataset in step.inputs.items()}
    found: dict[str, list[Origin]] = {}
    for name in _names(scopes[-1]):
        lines: dict[tuple[str, str], int] = {}
        for view, source, line in tracer.trace(scopes[-1], name):
            if view in views:
                pair = views[view], source
                lines[pair] = min(line, lines.get(pair, line))
        found[name] = sorted(
            Origin(*pair, _file(step.sql_place(line)), step.sql_place(line).line or 0)
            for pair, line in lines.items()
        )
    return found


def _file(place: Place) -> str:
    return place.file or ""


def _names(scope: Scope) -> list[str]:
    first = scope
    while first.set_operation_scopes:
        first = first.set_operation_scopes[0]
    return [item.output_name.lower() for item in _items(first)]


def _items(scope: Scope) -> list[exp.Expr]:
    from sqlglot import exp

    return list(scope.expression.expressions) if isinstance(scope.expression, exp.Select) else []


class _Tracer:
    """Follows columns from scope to scope; a recursive CTE is entered once for each of its columns."""

    def __init__(self, scopes: Mapping[int, Scope]) -> None:
        self._scopes = scopes
        self._entered: set[tuple[int, str]] = set()

    def trace(self, scope: Scope, name: str) -> Iterator[tuple[str, str, int]]:
        """(view, column, line of the SQL) of every input column behind a column of the scope's result."""
        self._entered = set()
        yield from self._column(scope, name)

    def _column(self, scope: Scope, name: str) -> Iterator[tuple[str, str, int]]:
        mark = id(scope.expression), name
        if mark in self._entered:
            return
        self._entered.add(mark)
        parts = scope.set_operation_scopes
        if parts:
            names = _names(scope)
            position = names.index(name) if name in names else None
            for part in parts:
                own = _names(part)
                if scope.expression.args.get("by_name"):
                    yield from self._column(part, name)
                elif position is not None and position < len(own):
                    yield from self._column(part, own[position])
            return
        for item in _items(scope):
            if item.output_name.lower() == name:
                yield from self._expression(item, scope)

    def _expression(self, node: exp.Expr, scope: Scope) -> Iterator[tuple[str, str, int]]:
        from sqlglot import exp

        if isinstance(node, exp.Column):
            yield from self._source(node, scope)
            return
        inner = self._scopes.get(id(node.this)) if isinstance(node, exp.Subquery) else None
        if inner is not None:
            for name in _names(inner):
                yield from self._column(inner, name)
            return
        for child in node.iter_expressions():
            yield from self._expression(child, scope)

    def _source(self, column: exp.Column, scope: Scope) -> Iterator[tuple[str, str, int]]:
        from sqlglot import exp
        from sqlglot.optimizer.scope import Scope as Found

        from gamelake.layouts.query import line_of

        around: Scope | None = scope
        while around is not None:
            alone = not column.table and len(around.sources) == 1
            source = next(iter(around.sources.values())) if alone else around.sources.get(column.table)
            if isinstance(source, Found):
                yield from self._column(source, column.name.lower())
                return
            if isinstance(source, exp.Table):
                # a column that stands for a star has no place of its own
                placed = any("line" in part.meta for part in column.walk())
                line = line_of(column) if placed else line_of(around.expression)
                yield source.name.lower(), column.name, line
                return
            around = around.parent
