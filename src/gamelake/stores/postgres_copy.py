"""From Parquet files to a Postgres table, as fast as its binary COPY takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from gamelake.model.schema import ByType, ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

    from gamelake.model.schema import Schema

_BATCH_ROWS = 65_536
# what the encoder writes for a column's type is, byte for byte, what Postgres reads for ours
_WIRE = ByType(
    {
        ColumnType.TEXT: pa.string(),
        ColumnType.INT: pa.int32(),
        ColumnType.BIGINT: pa.int64(),
        ColumnType.DOUBLE: pa.float64(),
        ColumnType.BOOL: pa.bool_(),
        ColumnType.DATE: pa.date32(),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
        ColumnType.UUID: pa.binary(16),
        ColumnType.BLOB: pa.binary(),
    },
    pa.decimal128,
)


def copy_files(
    cursor: psycopg.Cursor[Any], table: sql.Composable, schema: Schema, files: Sequence[str]
) -> int:
    """Append the rows of all files to the table, columns matched by name; how many Postgres counted."""
    return copy_batches(cursor, table, schema, wire_batches(schema, files))


def copy_batches(
    cursor: psycopg.Cursor[Any], table: sql.Composable, schema: Schema, batches: Iterable[pa.RecordBatch]
) -> int:
    """Append batches as `wire_batches` gives them."""
    import pgpq

    columns = sql.SQL(", ").join(map(sql.Identifier, schema.names))
    encoder = pgpq.ArrowToPostgresBinaryEncoder(wire_schema(schema))
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table, columns)) as copy:
        copy.write(encoder.write_header())
        for batch in batches:
            copy.write(encoder.write_batch(batch))
        copy.write(encoder.finish())
    return cursor.rowcount


def wire_schema(schema: Schema) -> pa.Schema:
    """Arrow types the encoder is given."""
    return pa.schema([(column.name, _WIRE[column.type]) for column in schema.columns])


def wire_batches(schema: Schema, files: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """Rows of the files in batches of a bounded size, columns in the schema's order.

    A column that a file of an older schema lacks is null.
    """
    wanted = wire_schema(schema)
    for path in files:
        with pq.ParquetFile(path) as file:
            there = set(file.schema_arrow.names)
            for batch in file.iter_batches(_BATCH_ROWS, columns=[n for n in schema.names if n in there]):
                columns = [
                    _wire(batch.column(field.name), field.type)
                    if field.name in there
                    else pa.nulls(batch.num_rows, field.type)
                    for field in wanted
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=wanted)


def _wire(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ExtensionArray):  # uuid, as Parquet's logical type comes back
        values = values.storage
    return values if values.type == kind else values.cast(kind)
