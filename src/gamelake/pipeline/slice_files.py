"""Slices as files that others read: one file each, in folders `column=value` that tell what it does not repeat."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

import duckdb

from gamelake.engines.duckdb import quoted, text_literal, translated
from gamelake.errors import OperatorError, Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gamelake.engines.base import Session
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output

_NOTHING = "__HIVE_DEFAULT_PARTITION__"  # what Hive's folders call an empty value
_OPTIONS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json",
}


def slice_file(part: Slice, kind: str, order: Sequence[str] = ()) -> str:
    """Path of a slice's file below the dataset's folder; `order` is that of the folders, where it is another one."""
    values = part.as_dict()
    named = [(name, values[name]) for name in order or values]
    folders = [f"{name}={quote(value, safe='-_.:+ ') or _NOTHING}" for name, value in named]
    return "/".join([*folders, f"data.{kind}"])


def write_rows(session: Session, view: str, output: Output, kind: str, file: Path) -> None:
    """Write a view's rows without the columns that the folders tell."""
    sliced = set(output.slice_columns)
    columns = ", ".join(quoted(name) for name in output.schema.names if name not in sliced)
    target = f"{text_literal(str(file))} ({_OPTIONS[kind]})"
    try:
        session.connection.execute(f"COPY (SELECT {columns} FROM {quoted(view)}) TO {target}")
    except duckdb.Error as error:
        raise translated(error) from error
    except OSError as error:
        problem = f"the folder cannot be written: {error.strerror}"
        raise OperatorError(problem, Place(str(file.parent)), "is it read-only, or the disk full?") from error


def shape(output: Output) -> str:
    """What differs when files of the same rows would."""
    columns = [(column.name, column.type.value) for column in output.schema.columns]
    return hashlib.sha256(repr(columns).encode()).hexdigest()[:16]
