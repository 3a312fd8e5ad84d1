"""Where in a layout an engine's complaint belongs."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gamelake.errors import LayoutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gamelake.model.steps import SqlStep


@contextmanager
def placed(step: SqlStep) -> Iterator[None]:
    """Errors of the engine get the place of the layout: the line of what they name, when they name something."""
    try:
        yield
    except LayoutError as err:
        if err.at is not None and err.at.file is None and err.at.line is not None:
            raise LayoutError.all_of(_in_file(step, each) for each in (err, *err.others)) from err
        if err.at is not None:
            raise
        place = step.sql_place(1 + _line_naming(err.problem, step.sql))
        raise LayoutError(err.problem, place, err.hint) from err


def _in_file(step: SqlStep, err: LayoutError) -> LayoutError:
    """An error that knows its line of the SQL, at that line of the layout."""
    line = err.at.line if err.at is not None and err.at.line is not None else 1
    return LayoutError(err.problem, step.sql_place(line), err.hint)


def _line_naming(problem: str, sql: str) -> int:
    """Lines before the one that holds the first word the message puts in quotes; 0 when none does."""
    for word in re.findall(r'(?:"|name )(\w+)', problem):
        found = re.search(rf"\b{re.escape(word)}\b", sql, re.IGNORECASE)
        if found:
            return sql.count("\n", 0, found.start())
    return 0


def refuse_misnamed(step: SqlStep, columns: Sequence[str]) -> None:
    """Columns of the result and of the schema have the same names, in whatever order."""
    declared = step.outputs[0].schema.names
    result = {name.lower() for name in columns}
    missing = [name for name in declared if name.lower() not in result]
    extra = [name for name in columns if name.lower() not in {known.lower() for known in declared}]
    told = [f"lacks `{name}`" for name in missing] + [f"adds `{name}`" for name in extra]
    if told:
        problem = f"the result of the SQL {', '.join(told)}, compared with the schema"
        raise LayoutError(problem, hint="columns are bound by name: rename them in the SQL or in the schema")
