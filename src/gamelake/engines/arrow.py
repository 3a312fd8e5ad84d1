"""Rows that are in Arrow already → Parquet files, without a detour through SQL."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.engines.base import Written
from gamelake.engines.footers import footer_facts
from gamelake.errors import LayoutError, OperatorError, Place
from gamelake.model.publish import StagedFile
from gamelake.model.schema import ByType, ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gamelake.model.schema import Column, Schema

_ARROW = ByType(
    {
        ColumnType.TEXT: pa.string(),
        ColumnType.INT: pa.int32(),
        ColumnType.BIGINT: pa.int64(),
        ColumnType.DOUBLE: pa.float64(),
        ColumnType.BOOL: pa.bool_(),
        ColumnType.DATE: pa.date32(),
        ColumnType.TIMESTAMP: pa.timestamp("us", "UTC"),
        ColumnType.UUID: pa.uuid(),
        ColumnType.BLOB: pa.binary(),
    },
    pa.decimal128,
)


def arrow_type(kind: ColumnType) -> pa.DataType:
    """Arrow type of a storage type."""
    return _ARROW[kind]


class ParquetFile:
    """One Parquet file under construction; its columns take the schema's order and types.

    Texts may come as dictionaries, which is much faster. Every `write` is a row group of its own, so write in
    pieces of useful size. The same pieces give the same bytes, and so the same `digest`.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._schema = schema
        self._writer: pq.ParquetWriter | None = None
        self._footers: list[pq.FileMetaData] = []

    def write(self, rows: pa.Table) -> None:
        """Append rows; LayoutError when a value does not fit its column, OperatorError when the disk refuses."""
        fitted = _fitted(rows, self._schema)
        if not fitted.num_rows and self._writer is not None:
            return
        try:
            if self._writer is None:
                texts = [column.name for column in self._schema.columns if column.type is ColumnType.TEXT]
                self._writer = pq.ParquetWriter(
                    self.path, fitted.schema, compression="zstd", compression_level=1, use_dictionary=texts,
                    store_schema=False, metadata_collector=self._footers,
                )  # fmt: skip
            self._writer.write_table(fitted.cast(self._writer.schema))
        except OSError as err:
            raise _disk(self.path, err) from err

    def close(self) -> Written | None:
        """The finished file; None, and no file, when nothing was written or only empty tables."""
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        try:
            writer.close()
            footer = self._footers[0]
            if not footer.num_rows:
                self.path.unlink()
                return None
            content = self.path.read_bytes()
        except OSError as err:
            raise _disk(self.path, err) from err
        file = StagedFile(str(self.path), footer.num_rows, len(content))
        return Written(file, footer_facts(footer), hashlib.blake2b(content, digest_size=16).hexdigest())

    def discard(self) -> None:
        """Give the file up."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is not None:
            self.discard()


def write_rows(tables: Iterable[pa.Table], schema: Schema, path: Path) -> Written | None:
    """Write tables into one file, each a row group; None, and no file, when there are no rows.

    Raises what `ParquetFile.write` does, and what iterating over `tables` raises; no file is left then.
    """
    with ParquetFile(path, schema) as file:
        for table in tables:
            file.write(table)
        return file.close()


def _fitted(rows: pa.Table, schema: Schema) -> pa.Table:
    """The schema's columns in its order and types; a text column that is a dictionary stays one."""
    columns = [_column(rows.column(column.name), column) for column in schema.columns]
    table = pa.table(columns, names=list(schema.names))
    # chunks with dictionaries of their own would be written as plain texts
    return table.unify_dictionaries() if any(pa.types.is_dictionary(c.type) for c in columns) else table


def _column(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    wanted, found = arrow_type(column.type), values.type
    if found == wanted or found == pa.dictionary(pa.int32(), wanted):
        return values
    try:
        if column.type is ColumnType.UUID and pa.types.is_string(found):
            return _uuids(values)
        return values.cast(wanted)
    except (pa.ArrowException, ValueError) as err:
        problem = f"a value does not fit: {str(err).splitlines()[0]}"
        hint = f"the column is declared as {column.type.value}"
        raise LayoutError(problem, Place(key=column.name), hint) from err


def _uuids(values: pa.ChunkedArray) -> pa.ChunkedArray:
    texts = values.to_pylist()
    stored = pa.array([None if text is None else UUID(text).bytes for text in texts], pa.binary(16))
    return pa.chunked_array([pa.ExtensionArray.from_storage(pa.uuid(), stored)])


def _disk(path: Path, err: OSError) -> OperatorError:
    problem = f"staged rows cannot be written: {err}"
    return OperatorError(problem, Place(str(path.parent)), "is the disk full, or the folder read-only?")
