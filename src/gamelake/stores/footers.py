"""Do these Parquet files hold rows of this slice? Asked of their footers, because registering does not ask."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gamelake.errors import LayoutError, Place, StoreError, did_you_mean
from gamelake.model.schema import ColumnType
from gamelake.stores.drift import SLICE_TYPES, widens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gamelake.model.publish import StagedFile
    from gamelake.model.schema import Column
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output

SliceValue = str | int | bool | date

# physical type → logical type as Parquet's own JSON names it → ours
_DECIMAL = re.compile(r"Decimal\(precision=(\d+), scale=(\d+)\)")
_TYPES: dict[tuple[str, str], ColumnType] = {
    ("BYTE_ARRAY", "String"): ColumnType.TEXT,
    ("INT32", "None"): ColumnType.INT,
    ("INT32", "Int(bitWidth=32, isSigned=true)"): ColumnType.INT,
    ("INT64", "None"): ColumnType.BIGINT,
    ("INT64", "Int(bitWidth=64, isSigned=true)"): ColumnType.BIGINT,
    ("DOUBLE", "None"): ColumnType.DOUBLE,
    ("BOOLEAN", "None"): ColumnType.BOOL,
    ("INT32", "Date"): ColumnType.DATE,
    ("FIXED_LEN_BYTE_ARRAY", "UUID"): ColumnType.UUID,
    ("BYTE_ARRAY", "None"): ColumnType.BLOB,
}


def read_footer(path: str) -> pq.FileMetaData:
    """A file's footer; StoreError when the file is missing, cut or no Parquet."""
    try:
        return pq.read_metadata(path)
    except FileNotFoundError as error:
        problem = "a staged file is gone"
        raise StoreError(problem, Place(path), hint="run the step again") from error
    except (pa.ArrowException, OSError) as error:
        problem = f"a staged file is not readable Parquet: {str(error).splitlines()[0]}"
        raise StoreError(problem, Place(path), hint="run the step again") from error


def slice_value(column: Column, text: str) -> SliceValue:
    """Value of a slice column from its text; LayoutError when the text is none of that type.

    >>> from gamelake.model.schema import Column, ColumnType
    >>> slice_value(Column("d", ColumnType.DATE), "2026-02-16")
    datetime.date(2026, 2, 16)
    """
    try:
        match column.type:
            case ColumnType.TEXT:
                return text
            case ColumnType.DATE:
                return date.fromisoformat(text)
            case ColumnType.INT | ColumnType.BIGINT:
                return int(text)
            case ColumnType.BOOL:
                return {"true": True, "false": False}[text]
            case _:
                pass
    except (ValueError, KeyError) as error:
        problem = f"slice value `{text}` is no {column.type.value}"
        raise LayoutError(problem, Place(key=column.name)) from error
    known = ", ".join(sorted(kind.value for kind in SLICE_TYPES))
    problem = f"a {column.type.value} column cannot name slices, expected one of: {known}"
    raise LayoutError(problem, Place(key=column.name))


def slice_values(output: Output, for_slice: Slice) -> dict[str, SliceValue]:
    """Typed values of the slice; LayoutError when its columns are not the output's slice columns."""
    given = for_slice.as_dict()
    if set(given) != set(output.slice_columns):
        expected = ", ".join(output.slice_columns) or "none"
        problem = f"slice `{for_slice}` does not have the slice columns of `{output.dataset}`: {expected}"
        raise LayoutError(problem)
    return {name: slice_value(output.schema[name], given[name]) for name in output.slice_columns}


def verify_files(output: Output, for_slice: Slice, files: Sequence[StagedFile]) -> dict[str, pq.FileMetaData]:
    """Footers by path; one LayoutError with everything that is wrong. See `TableStore.verify`."""
    wanted = slice_values(output, for_slice)
    footers = {file.path: read_footer(file.path) for file in files}
    errors = [error for file in files for error in _file_errors(output, file, footers[file.path], wanted)]
    if len(footers) < len(files):
        problem = f"the same file is staged twice for slice `{for_slice}`"
        errors.append(LayoutError(problem, Place(files[0].path)))
    if errors:
        raise LayoutError.all_of(errors)
    return footers


def _file_errors(
    output: Output, file: StagedFile, footer: pq.FileMetaData, wanted: dict[str, SliceValue]
) -> Iterator[LayoutError]:
    if footer.num_rows != file.rows:
        problem = f"holds {footer.num_rows} rows, its writer counted {file.rows}"
        yield LayoutError(problem, Place(file.path), hint="run the step again")
    types = column_types(footer)
    sound = []
    for column in output.schema.columns:
        found = types.pop(column.name, None)
        if found == column.type or (output.evolve and widens(found, column.type)):
            sound.append(column)
        elif found is None and column.nullable and output.evolve:
            continue  # an older version of the slice, put back: the column is null there
        else:
            yield _type_error(output, file.path, column, found)
    for name in types:
        problem = f"`{output.dataset}` has no column `{name}`"
        yield LayoutError(problem, Place(file.path, key=name), did_you_mean(name, output.schema.names))
    statistics = _Statistics(file.path, footer)
    for column in sound:
        if column.name in wanted:
            yield from _slice_errors(file.path, column, wanted[column.name], statistics)
        elif not column.nullable and (nulls := statistics.null_count(column.name)):
            problem = f"{nulls} nulls in a column that is not nullable"
            hint = "drop such rows in the SQL, or declare the column nullable"
            yield LayoutError(problem, Place(file.path, key=column.name), hint)


def column_types(footer: pq.FileMetaData) -> dict[str, ColumnType | str]:
    """Column → our type, or Parquet's own words for a type that is none of ours."""
    found: dict[str, ColumnType | str] = {}
    for position in range(len(footer.schema)):
        column = footer.schema.column(position)
        logical = str(column.logical_type)
        kind: ColumnType | str | None = _TYPES.get((column.physical_type, logical))
        if kind is None and (sizes := _DECIMAL.fullmatch(logical)):
            kind = ColumnType(f"decimal({sizes[1]},{sizes[2]})")
        if kind is None and logical.startswith("Timestamp(isAdjustedToUTC=true, timeUnit=microseconds"):
            kind = ColumnType.TIMESTAMP
        if column.path != column.name or column.max_repetition_level:
            kind = None  # part of a list or struct
            logical = "nested"
        shown = column.physical_type if logical == "None" else f"{column.physical_type} {logical}"
        found[column.path.partition(".")[0]] = kind or shown
    return found


def _type_error(output: Output, path: str, column: Column, found: ColumnType | str | None) -> LayoutError:
    place = Place(path, key=column.name)
    if found is None:
        problem = f"column `{column.name}` of `{output.dataset}` is missing"
        return LayoutError(problem, place, hint="select it in the SQL, also when it is constant in the slice")
    if isinstance(found, ColumnType):
        problem = f"type is {found.value}, declared {column.type.value}"
    else:
        problem = f"type is `{found}`, declared {column.type.value}"
    return LayoutError(problem, place, hint=f"cast it: `CAST({column.name} AS {column.type.sql})`")


def _slice_errors(
    path: str, column: Column, wanted: SliceValue, statistics: _Statistics
) -> Iterator[LayoutError]:
    if statistics.proves_constant(column.name, wanted):
        return
    others = statistics.distinct(column.name) - {wanted}
    if others:
        shown = ", ".join(f"`{value}`" for value in sorted(others, key=str)[:3])
        problem = f"rows with {column.name} {shown} in the slice of `{wanted}`"
        hint = "every row of a slice must hold the slice's own values"
        yield LayoutError(problem, Place(path, key=column.name), hint)


class _Statistics:
    """Facts about the columns of one file: from its footer where that proves them, else from its pages."""

    def __init__(self, path: str, footer: pq.FileMetaData) -> None:
        self._path = path
        self._footer = footer
        names = [footer.schema.column(position).path for position in range(len(footer.schema))]
        self._position = {name: position for position, name in enumerate(names)}

    def null_count(self, name: str) -> int:
        total = 0
        for statistics in self._chunks(name):
            if statistics is None or not statistics.has_null_count:
                return int(self._read(name).null_count)
            total += statistics.null_count
        return total

    def proves_constant(self, name: str, wanted: SliceValue) -> bool:
        """Both bounds are the value, and there are no nulls. Bounds may be shortened text; equal ones still prove it."""
        return all(
            statistics is not None
            and statistics.has_null_count
            and statistics.null_count == 0
            and statistics.has_min_max
            and statistics.min == wanted == statistics.max
            for statistics in self._chunks(name)
        )

    def distinct(self, name: str) -> set[Any]:
        """Values in the column, None among them when there are nulls."""
        return set(pc.unique(self._read(name)).to_pylist())

    def _chunks(self, name: str) -> Iterator[Any]:
        position = self._position[name]
        for group in range(self._footer.num_row_groups):
            chunk = self._footer.row_group(group).column(position)
            yield chunk.statistics if chunk.is_stats_set else None

    def _read(self, name: str) -> pa.ChunkedArray:
        return pq.read_table(self._path, columns=[name], partitioning=None).column(name)
