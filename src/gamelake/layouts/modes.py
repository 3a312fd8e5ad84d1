"""What output modes and `carries` need of the rest of a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.model.schema import ColumnType
from gamelake.model.steps import PREVIOUS, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.layouts.document import LayoutDocument, OutputDocument

    Problem = tuple[str, tuple[str | int, ...], str | None]

VALIDITY = ("valid_from", "valid_to", "is_current")
"""Columns that `scd2` adds to what the SQL gives."""

_RESULT = {
    Mode.APPEND_UNIQUE: "keeps the first row of each grain",
    Mode.MERGE: "keeps the last row of each grain",
    Mode.SCD2: "keeps when each row of a grain was valid",
}


def mode_problems(document: LayoutDocument) -> Iterator[Problem]:
    """(problem, key path, hint) for each thing that a mode or `carries` lacks."""
    output = document.outputs[0]
    if output.resolved_mode.folds and output.type == "file":
        problem = f"`{output.resolved_mode}` makes one table of all slices, which files are not"
        hint = "write a table, and read that by a layout of type `file`"
        yield problem, ("outputs", 0, "mode"), hint
    if output.resolved_mode.folds:
        yield from _fold_problems(output)
    if document.carries:
        yield from _carry_problems(document, output)


def _fold_problems(output: OutputDocument) -> Iterator[Problem]:
    mode = output.resolved_mode
    place = ("outputs", 0, "mode")
    if not output.grain:
        problem = f"`{mode}` needs `grain`: it {_RESULT[mode]}"
        yield problem, place, "add `grain: [player]`, the columns that identify a row"
    for name in output.grain:
        if name in output.columns and output.columns[name].may_be_null:
            problem = f"`{mode}` finds the rows of a grain by its values, and `{name}` may be null"
            yield (
                problem,
                ("outputs", 0, "schema", name),
                "write a value where there is none, or leave it out of the grain",
            )
    dates = _dates(output)
    if mode is Mode.SCD2:
        if len(output.slice) != 1 or not dates:
            problem = "`scd2` needs `slice` with one date column, from which rows are valid"
            yield problem, place, "add `slice: [day]`, with `day: date` in the schema"
        for name in VALIDITY:
            if name in output.columns:
                problem = f"`scd2` adds the column `{name}` itself"
                yield problem, ("outputs", 0, "schema", name), "remove it from the schema and from the SQL"
        for name in set(output.grain) & set(output.slice):
            problem = f"the grain of `scd2` says what stays the same over time, and `{name}` is the time"
            yield problem, ("outputs", 0, "grain"), f"remove `{name}` from the grain"
    elif not output.slice:
        problem = f"`{mode}` needs `slice`, by which it knows which row came first"
        yield problem, place, "add `slice: [day]`"


def _carry_problems(document: LayoutDocument, output: OutputDocument) -> Iterator[Problem]:
    if output.resolved_mode is not Mode.REPLACE_SLICE:
        problem = f"`carries` belongs to `replace_slice`, this output is `{output.resolved_mode}`"
        yield problem, ("carries",), f"`{output.resolved_mode}` sees its own rows without it"
    if len(_dates(output)) != 1:
        problem = "`carries` needs `slice` with exactly one date column, which says what comes before"
        yield problem, ("carries",), "add `slice: [day]`, with `day: date` in the schema"
    first = document.chain.first
    declared = document.variables.get(first)
    if first and (declared is None or declared.type != "date" or first in output.slice.values()):
        problem = (
            f"`first: {first}` names a variable that holds the first day, and none of type `date` is declared"
        )
        yield (
            problem,
            ("carries", "first"),
            f"add `variables: {{{first}: {{type: date, default: 2026-01-01}}}}`",
        )
    for position, source in enumerate(document.inputs):
        if source.name == PREVIOUS:
            problem = f"`{PREVIOUS}` is the name by which `carries` shows the slice before"
            yield problem, ("inputSources", position, "name"), "call the input something else"


def _dates(output: OutputDocument) -> list[str]:
    columns = output.columns
    return [name for name in output.slice if name in columns and columns[name].type is ColumnType.DATE]
