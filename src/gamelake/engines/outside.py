"""Reading files that others wrote, where they are: columns by name, cast to the schema, slices told by the folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gamelake.model.steps import FileFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gamelake.model.schema import Column, Schema
    from gamelake.model.slices import Slice


@dataclass(frozen=True)
class Part:
    """Files of one slice; the slice's own values stand for whatever the files say in those columns."""

    slice: Slice
    files: tuple[str, ...]


def outside_scan(
    schema: Schema, parts: Iterable[Part], kind: FileFormat = FileFormat.PARQUET, *, names: Sequence[str] = ()
) -> str:
    """SELECT over the files of all parts, with the schema's columns (or those of them that are named)."""
    wanted = [column for column in schema.columns if not names or column.name in names]
    selects = [
        f"SELECT {', '.join(_value(column, part) for column in wanted)} FROM {_read(part, schema, kind)}"
        for part in parts
        if part.files
    ]
    if not selects:
        nothing = ", ".join(f"CAST(NULL AS {c.type.sql}) AS {_quoted(c.name)}" for c in wanted)
        return f"SELECT {nothing} WHERE false"
    return " UNION ALL ".join(selects)


def _value(column: Column, part: Part) -> str:
    told = part.slice.as_dict().get(column.name)
    value = _quoted(column.name) if told is None else _literal(told)
    return f"CAST({value} AS {column.type.sql}) AS {_quoted(column.name)}"


def _read(part: Part, schema: Schema, kind: FileFormat) -> str:
    files = f"[{', '.join(map(_literal, part.files))}]"
    if kind is FileFormat.PARQUET:
        return f"read_parquet({files}, hive_partitioning = false)"
    if (
        kind is FileFormat.CSV
    ):  # texts first: what the schema says decides, not what the first lines look like
        return f"read_csv({files}, header = true, all_varchar = true, hive_partitioning = false, delim = ',', quote = '\"', escape = '\"')"
    told = part.slice.as_dict()
    columns = ", ".join(f"{_literal(c.name)}: 'VARCHAR'" for c in schema.columns if c.name not in told)
    return f"read_json({files}, format = 'newline_delimited', columns = {{{columns}}}, hive_partitioning = false)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
