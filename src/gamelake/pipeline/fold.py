"""Tables that are folded from what each slice says: `append_unique`, `merge` and `scd2`.

A layout with such a mode becomes two steps. One keeps the result of the SQL for each slice, the *delta*, in a
dataset `<name>__delta`; the other makes the table of all deltas in the order of their slices. So a repair of
an old slice gives what a build from scratch gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gamelake.layouts.modes import VALIDITY
from gamelake.layouts.template import identifier as quoted
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.steps import FoldStep, Mode, OnEmpty, SqlStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output, Source, Step

SUFFIX = "__delta"
DELTA, BASE = "delta", "base"
"""Views of the fold's SQL: deltas still to apply, and the table they are applied to."""


def unfolded(member: Step | Source) -> Iterable[Step | Source]:
    """The steps behind a layout: itself, or its deltas and the fold over them."""
    if not isinstance(member, SqlStep) or not member.outputs[0].mode.folds:
        return [member]
    output = member.outputs[0]
    deltas = replace(output.dataset, name=output.dataset.name + SUFFIX)
    said = replace(
        output,
        dataset=deltas,
        mode=Mode.REPLACE_SLICE,
        checks=(),
        target=None,  # the table goes there, not what it is made of
        description=f"What each slice says for {output.dataset}",
    )
    table = replace(
        output,
        schema=_table_schema(output),
        slice_columns=(),
        grain=_table_grain(output),
        grain_proven=False,
        on_empty=OnEmpty.CLEAR,
    )
    return [
        replace(member, name=str(deltas), outputs=(said,), delta_of=output.dataset),
        FoldStep(
            member.name,
            {DELTA: deltas},
            (table,),
            output.mode,
            output.grain,
            output.slice_columns,
            member.file,
            member.description,
        ),
    ]


def _table_schema(output: Output) -> Schema:
    if output.mode is not Mode.SCD2:
        return output.schema
    since, until, current = VALIDITY
    kept = [column for column in output.schema.columns if column.name not in output.slice_columns]
    return Schema(
        (
            *kept,
            Column(since, ColumnType.DATE, nullable=False, doc="first day of these values"),
            Column(until, ColumnType.DATE, doc="first day of other values; null while they hold"),
            Column(current, ColumnType.BOOL, nullable=False, doc="these values hold"),
        )
    )


def _table_grain(output: Output) -> tuple[str, ...]:
    return (*output.grain, VALIDITY[0]) if output.mode is Mode.SCD2 else output.grain


@dataclass(frozen=True)
class Task:
    """What a fold has to read: a version of the table to start from, if any, and the deltas after it."""

    base: SliceVersion | None
    deltas: tuple[SliceVersion, ...]


def task(
    step: FoldStep,
    deltas: Sequence[SliceVersion],
    versions: Iterable[SliceVersion],
    fingerprint: str,
    is_equal: Callable[[str, str, int, int], bool],
    order: Callable[[Slice], tuple[object, ...]],
) -> Task:
    """Start from the newest version of the table that holds nothing but deltas as they are now, the first of them.

    `versions` are those of the table, newest first; `fingerprint` is that of the fold to come.
    """
    ordered = sorted(deltas, key=lambda version: order(version.slice))
    made_by = fingerprint.rpartition(".")[0]
    dataset = str(step.inputs[DELTA])
    for version in versions:
        applied = version.inputs.get(dataset, {})
        first, later = ordered[: len(applied)], ordered[len(applied) :]
        if (
            version.step != "rollback"  # says that it was made from what there is now
            and version.fingerprint.rpartition(".")[0] == made_by
            and {str(delta.slice) for delta in first} == applied.keys()
            and all(_same(dataset, d, applied[str(d.slice)], is_equal) for d in first)
            and all(Path(file).exists() for file in version.files)
        ):
            return Task(version, tuple(later))
    return Task(None, tuple(ordered))


def _same(
    dataset: str, delta: SliceVersion, applied: int, is_equal: Callable[[str, str, int, int], bool]
) -> bool:
    return delta.version == applied or is_equal(dataset, str(delta.slice), delta.version, applied)


def by_slice(deltas: Output) -> Callable[[Slice], tuple[object, ...]]:
    """Key that sorts slices by the values of their columns: dates and numbers as such."""
    from gamelake.stores.footers import slice_value

    def key(part: Slice) -> tuple[object, ...]:
        keys = part.as_dict()
        return tuple(slice_value(deltas.schema[name], keys[name]) for name in deltas.slice_columns)

    return key


def fold_sql(step: FoldStep, columns: Sequence[str]) -> str:
    """Query that applies `delta` to `base`; `columns` are those that a delta has."""
    if step.mode is Mode.SCD2:
        return _validity_sql(step, columns)
    listed = _list(columns)
    way = "DESC" if step.mode is Mode.MERGE else "ASC"
    order = ", ".join(f"{quoted(name)} {way}" for name in step.order)
    return (
        f"SELECT {listed} FROM (SELECT {listed} FROM {BASE} UNION ALL SELECT {listed} FROM {DELTA})\n"
        f"QUALIFY row_number() OVER (PARTITION BY {_list(step.grain)} ORDER BY {order}) = 1"
    )


def _validity_sql(step: FoldStep, columns: Sequence[str]) -> str:
    """A version of a row begins where its values differ from those said before, and ends where the next begins.

    What `base` holds are such beginnings already.
    """
    since, until, current = (quoted(name) for name in VALIDITY)
    day = step.order[0]
    kept = [name for name in columns if name != day]
    values = [quoted(name) for name in kept if name not in step.grain]
    differs = [f"{value} IS DISTINCT FROM lag({value}) OVER said" for value in values]
    begins = " OR ".join(["row_number() OVER said = 1", *differs])
    window = f"PARTITION BY {_list(step.grain)} ORDER BY {since}"
    return (
        f"WITH saying AS (\n  SELECT {_list(kept)}, {since} FROM {BASE}\n"
        f"  UNION ALL SELECT {_list(kept)}, {quoted(day)} FROM {DELTA}\n), beginning AS (\n"
        f"  SELECT * FROM saying WINDOW said AS ({window}) QUALIFY {begins}\n)\n"
        f"SELECT {_list(kept)}, {since}, lead({since}) OVER said AS {until},\n"
        f"  lead({since}) OVER said IS NULL AS {current}\n"
        f"FROM beginning WINDOW said AS ({window})"
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)
