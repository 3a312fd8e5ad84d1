"""Whether a declared output still fits the table it writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.errors import LayoutError, Place, did_you_mean
from gamelake.model.schema import ColumnType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gamelake.model.schema import Column, Schema
    from gamelake.model.steps import Output

SLICE_TYPES = frozenset(
    {ColumnType.TEXT, ColumnType.INT, ColumnType.BIGINT, ColumnType.BOOL, ColumnType.DATE}
)


def refuse_bad_slice_columns(output: Output) -> None:
    """LayoutError unless every slice column is a column of a type that can name slices."""
    known = ", ".join(sorted(kind.value for kind in SLICE_TYPES))
    errors = []
    for name in output.slice_columns:
        place = Place(key=f"{output.dataset}.slice.{name}")
        if name not in output.schema.names:
            hint = did_you_mean(name, output.schema.names)
            errors.append(LayoutError(f"slice column `{name}` is not in the schema", place, hint))
        elif output.schema[name].type not in SLICE_TYPES:
            problem = (
                f"a {output.schema[name].type.value} column cannot name slices, expected one of: {known}"
            )
            errors.append(LayoutError(problem, place))
    if errors:
        raise LayoutError.all_of(errors)


def evolution(output: Output, table: Schema) -> tuple[list[Column], list[Column]]:
    """New columns, and columns of a wider type, that a table takes over with the next commit.

    Only with `evolve`; a new column must be nullable, and a slice column keeps its type.
    """
    if not output.evolve:
        return [], []
    known = set(table.names)
    new = [c for c in output.schema.columns if c.name not in known and c.nullable]
    wider = [
        c
        for c in output.schema.columns
        if c.name in known
        and c.name not in output.slice_columns
        and widens(table[c.name].type, c.type)
        and table[c.name].nullable == c.nullable
    ]
    return new, wider


def widens(before: ColumnType | str | None, now: ColumnType) -> bool:
    """True when every value of the one type is a value of the other, in files as they are."""
    return (before, now) == (ColumnType.INT, ColumnType.BIGINT)


def drifts(output: Output, table: Schema, slice_columns: tuple[str, ...]) -> bool:
    """True when `refuse_drift` would raise."""
    try:
        refuse_drift(output, table, slice_columns)
    except LayoutError:
        return True
    return False


def refuse_drift(output: Output, table: Schema, slice_columns: tuple[str, ...]) -> None:
    """LayoutError with every difference between declaration and table. Words of documentation may differ."""
    new, wider = evolution(output, table)
    errors = list(_differences(output, table, {column.name for column in (*new, *wider)}))
    if slice_columns != output.slice_columns:
        was, now = (", ".join(names) or "none" for names in (slice_columns, output.slice_columns))
        problem = f"the table's slice columns are {was}, declared are {now}"
        errors.append(LayoutError(problem, Place(key=f"{output.dataset}.slice")))
    if errors:
        last = errors[-1]
        hint = last.hint or "give the changed dataset a new name, or restore what was declared before"
        errors[-1] = LayoutError(last.problem, last.at, hint)
        raise LayoutError.all_of(errors)


def _differences(output: Output, table: Schema, evolving: Collection[str]) -> Iterator[LayoutError]:
    for column in output.schema.columns:
        if column.name in evolving:
            continue
        place = Place(key=f"{output.dataset}.schema.{column.name}")
        if column.name not in table.names:
            hint = did_you_mean(column.name, table.names) or _evolve_hint(output, column)
            yield LayoutError("the table has no such column", place, hint)
        elif (before := table[column.name]).type != column.type or before.nullable != column.nullable:
            problem = f"the table has {_shown(before)}, declared is {_shown(column)}"
            yield LayoutError(problem, place)
    for name in table.names:
        if name not in output.schema.names:
            place = Place(key=f"{output.dataset}.schema.{name}")
            yield LayoutError("a column of the table is no longer declared", place)


def _evolve_hint(output: Output, column: Column) -> str | None:
    if not column.nullable:
        return "old rows would be null: declare it nullable, with `evolve: true`"
    return None if output.evolve else "`evolve: true` lets the table take new columns"


def _shown(column: Column) -> str:
    return column.type.value if column.nullable else f"{column.type.value} not null"
