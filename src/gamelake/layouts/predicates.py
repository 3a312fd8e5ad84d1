"""What is wrong with the predicate of a `sql` check, found before any engine starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from gamelake.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def predicate_problems(predicate: str, columns: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """(problem, hint) for everything that keeps a text from being one condition on one row.

    >>> list(predicate_problems("damge > 0", ["damage"]))
    [('the predicate names `damge`, which is not a column of the schema', 'did you mean `damage`?')]
    """
    try:
        statements = sqlglot.parse(f"SELECT 1 FROM staged WHERE ({predicate}\n)", read="duckdb")
    except SqlglotError:
        yield "the predicate does not parse", "write what must be true of every row, such as `gold >= 0`"
        return
    where = statements[0].args.get("where") if len(statements) == 1 and statements[0] is not None else None
    if where is None or not isinstance(where.this, exp.Paren):
        yield (
            "the predicate is not one condition",
            "write what must be true of every row, such as `gold >= 0`",
        )
        return
    if where.find(exp.Query, exp.Table):
        hint = "a check of kind `relationship` or `conservation` compares with another dataset"
        yield "the predicate reads other rows, and it is about one row", hint
        return
    if where.find(exp.AggFunc, exp.Window):
        hint = "for totals there are the kinds `row_count`, `conservation` and `balance`"
        yield "the predicate adds rows up, and it is about one row", hint
        return
    known = {name.lower() for name in columns}
    for name in dict.fromkeys(column.name.lower() for column in where.find_all(exp.Column)):
        if name not in known:
            yield (
                f"the predicate names `{name}`, which is not a column of the schema",
                did_you_mean(name, known),
            )
