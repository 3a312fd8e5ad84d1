"""A layout's SQL, written in DuckDB's dialect, as Spark SQL that gives the same values.

The query is read with the schemas of its inputs. What is outside the portable subset (`portable.py`) is refused with
its line; what Spark understands differently is rewritten (`spark_rules.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema

from gamelake.errors import LayoutError, Place
from gamelake.layouts.portable import RefusedError, line_of, mark_lines, problem_of, unportable
from gamelake.layouts.query import Problem
from gamelake.layouts.spark_casts import as_double
from gamelake.layouts.spark_rules import RULES
from gamelake.layouts.sql_types import Kind, annotate, kind, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gamelake.model.schema import Schema


def to_spark(
    sql: str, tables: Mapping[str, Schema], output: Schema, *, relations: Mapping[str, str] | None = None
) -> str:
    """Spark SQL whose columns are the output's, in its order and types; UUIDs are texts there.

    `tables` are the inputs by view name; `relations` gives a view another name in Spark. Raises one LayoutError that
    holds everything unportable, each with its line of the text.
    """
    tree = _parsed(_bound(sql, output))
    mark_lines(tree)
    problems = [*_tokens(sql), *unportable(tree)]
    if not problems:
        try:
            tree = _with_types(tree, tables)
        except SqlglotError as err:
            problems = [
                Problem(f"the SQL cannot be read with its inputs' schemas: {str(err).splitlines()[0]}", 1)
            ]
        else:
            _averages(tree)
            problems = _rewrite(tree)
    if problems:
        raise LayoutError.all_of(
            LayoutError(problem.text, Place(line=problem.line), problem.hint) for problem in problems
        )
    _rename(tree, relations or {})
    return tree.sql(dialect="spark", comments=False)


def _bound(sql: str, output: Schema) -> str:
    """The query's columns by name, cast to the output's types; its lines keep their numbers."""
    columns = ", ".join(
        f"CAST({_quoted(column.name)} AS {column.type.sql}) AS {_quoted(column.name)}"
        for column in output.columns
    )
    return f"SELECT {columns} FROM ({sql}\n) AS gamelake_rows"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _parsed(sql: str) -> exp.Query:
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except SqlglotError as err:
        raise LayoutError(f"the SQL does not parse: {str(err).splitlines()[0]}") from err
    assert isinstance(tree, exp.Query)
    return tree


def _tokens(sql: str) -> Iterable[Problem]:
    """`~` is a full match in DuckDB; the tree does not tell it from a partial one."""
    for token in DuckDB().tokenize(sql):
        if token.text in {"~", "!~"}:
            yield problem_of(RefusedError("~", "use `regexp_matches(x, '^…$')`"), token.line)


def _with_types(tree: exp.Query, tables: Mapping[str, Schema]) -> exp.Query:
    columns: dict[str, object] = {
        name: {column.name: column.type.sql for column in schema.columns} for name, schema in tables.items()
    }
    known = MappingSchema(columns, dialect="duckdb")
    qualified = qualify(tree, schema=known, dialect="duckdb", validate_qualify_columns=False)
    assert isinstance(qualified, exp.Query)
    return annotate(qualified, known)


def _averages(tree: exp.Query) -> None:
    """`avg(x)` of whole numbers → `sum(x) / count(x)`: Spark adds them up as doubles, or keeps a decimal."""
    for average in list(tree.find_all(exp.Avg)):
        if kind(_argument(average)) not in {Kind.INT, Kind.DECIMAL}:
            continue
        outer: exp.Expr = average
        while isinstance(outer.parent, exp.Filter | exp.Window) and outer.parent.this is outer:
            outer = outer.parent
        total = typed(_around(outer, average, exp.Sum(this=average.this.copy())), Kind.INT)
        number = _around(outer, average, exp.Count(this=average.this.copy()))
        rows = exp.Nullif(this=typed(number, Kind.INT), expression=typed(exp.Literal.number(0), Kind.INT))
        quotient = exp.Div(this=as_double(total), expression=typed(rows, Kind.INT))
        outer.replace(typed(exp.Paren(this=typed(quotient, Kind.DOUBLE)), Kind.DOUBLE))


def _around(outer: exp.Expr, average: exp.Expr, instead: exp.Expr) -> exp.Expr:
    """The filter and window around an average, with another aggregate inside."""
    instead = typed(instead, Kind.INT)
    if outer is average:
        return instead
    copied = outer.copy()
    innermost = copied
    while not isinstance(innermost, exp.Avg):
        innermost = innermost.this
    innermost.replace(instead)
    return copied


def _argument(node: exp.Expr) -> exp.Expr:
    inner: exp.Expr = node.this
    if not isinstance(inner, exp.Distinct):
        return inner
    only: exp.Expr = inner.expressions[0]
    return only


def _rewrite(tree: exp.Query) -> list[Problem]:
    """Apply the rules, innermost first, so that each sees operands that are Spark's already but keep their types."""
    problems: list[Problem] = []
    following: list[Problem] = []
    for node in reversed(list(tree.walk())):
        rule = RULES.get(type(node))
        if rule is None:
            continue
        line, of = line_of(node), node.type
        try:
            made = rule(node)
        except RefusedError as refusal:
            (following if refusal.follows else problems).append(problem_of(refusal, line))
            continue
        if made is not None:
            made.type = of
            made.meta["at"] = line
            node.replace(made)
    return sorted(problems or following, key=lambda problem: problem.line)


def _rename(tree: exp.Query, relations: Mapping[str, str]) -> None:
    """Tables from outside the query only: a `WITH` may have the name of the input it reads."""
    wanted = {name.lower(): relation for name, relation in relations.items()}
    for scope in traverse_scope(tree):
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and source.name.lower() in wanted:
                source.set("this", exp.to_identifier(wanted[source.name.lower()], quoted=True))
