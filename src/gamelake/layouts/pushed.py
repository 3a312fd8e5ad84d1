"""Queries that other systems run, with variables of slices in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError
from gamelake.layouts.paths import SLICE_TYPES
from gamelake.layouts.template import render_text, template_variables, typed, undefined_variables
from gamelake.model.schema import Schema
from gamelake.model.steps import QueryInput, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gamelake.errors import Place
    from gamelake.layouts.document import ColumnDocument
    from gamelake.model.slices import Slice
    from gamelake.model.steps import SourceInput

_USUAL = {"date": "yesterday"}
_SAMPLES: dict[str, Any] = {"date": date(2000, 1, 1), "int": 1, "text": "x"}


def with_variables(
    source: SourceInput,
    pairs: Mapping[str, str],
    columns: Mapping[str, ColumnDocument],
    bound: Mapping[str, str],
    defaults: Mapping[str, str],
) -> SourceInput:
    """The source with the variables that its query uses, each by a slice column of the source.

    `pairs` is what the input's `slice` says (column → variable); `columns` and `bound` are the output's slice
    columns by variable. A variable that `pairs` does not name is told by a column called as the output's, which
    the query gives or which is added to its rows. Unknown ones are left to whoever reports mistakes.
    """
    if not isinstance(source.read, QueryInput):
        return source
    by_variable = {variable: column for column, variable in pairs.items()}
    found: list[Variable] = []
    schema, sliced = list(source.schema.columns), list(source.sliced)
    for name in sorted(template_variables(source.read.sql) & bound.keys()):
        column, document = by_variable.get(name, bound[name]), columns[name]
        is_answered = column in source.schema.names
        if column not in sliced:
            sliced.append(column)
        if is_answered:
            schema = [replace(c, nullable=False) if c.name == column else c for c in schema]
        else:
            schema.append(document.column(column, required=True))
        kind = SLICE_TYPES.get(document.type, "text")
        found.append(Variable(name, column, defaults.get(name, _USUAL.get(kind, "")), is_answered))
    return replace(source, schema=Schema(tuple(schema)), sliced=tuple(sliced), variables=tuple(found))


def query_mistakes(sql: str, kinds: Mapping[str, str], place: Place) -> Iterator[LayoutError]:
    """What is wrong with the variables of a query; `kinds` are those it may use, and their types."""
    undefined = undefined_variables(sql, kinds, place=lambda _: place)
    yield from undefined
    if not undefined:
        try:
            render_text(sql, {name: _SAMPLES[kind] for name, kind in kinds.items()}, place=lambda _: place)
        except LayoutError as error:
            yield error


def rendered(source: SourceInput, part: Slice, engine: str) -> str:
    """The query of a source for one slice, its macros in the words of who runs it."""
    assert isinstance(source.read, QueryInput)
    keys = part.as_dict()
    values: dict[str, Any] = {}
    for variable in source.variables:
        kind = SLICE_TYPES[source.schema[variable.column].type]
        values[variable.name] = typed(keys[variable.column], kind)
    return render_text(source.read.sql, values, place=lambda _: source.place, engine=engine)
