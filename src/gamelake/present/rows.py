"""Rows of a query as JSON values, CSV and Parquet, the same on the command line and over HTTP."""

from __future__ import annotations

import csv
import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from gamelake.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from gamelake.engines.batches import Batches

MAX_NESTING = 50
_UNFIT = (OverflowError, ValueError)  # Arrow's own ArrowInvalid is a ValueError


def jsonable(value: Any, depth: int = 0) -> Any:
    """A value of a row as JSON has it; what has no JSON form becomes text.

    >>> jsonable(float("nan")), jsonable(Decimal("1.5")), jsonable(b"a")
    (None, 1.5, '0x61')
    >>> jsonable(Decimal("170141183460469231731687303715884105727"))  # DuckDB's sum of bigints
    170141183460469231731687303715884105727
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        return f"0x{value.hex()}"
    if depth > MAX_NESTING:
        raise InputError(f"a value is nested deeper than {MAX_NESTING} levels")
    if isinstance(value, dict):
        return {str(key): jsonable(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(entry, depth + 1) for entry in value]
    return str(value)


def rows_of(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Rows of a batch as tuples; a value Python cannot hold (year 20000, nanoseconds) is DuckDB's text of it."""
    return list(zip(*map(_values, batch.columns), strict=True))


def write_csv(reader: Batches, handle: IO[str]) -> int:
    """Comma-separated, with a header; nested values as JSON. Returns the rows written."""
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(reader.schema.names)
    rows = 0
    for batch in reader:
        found = rows_of(batch)
        writer.writerows([_csv_value(value) for value in row] for row in found)
        rows += len(found)
    return rows


def write_parquet(reader: Batches, file: Path) -> int:
    """One Parquet file, compressed. Returns the rows written."""
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _values(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except _UNFIT:
        return [_value_or(text, value) for text, value in zip(_texts(column), column, strict=True)]
    return values


def _value_or(text: str | None, value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except _UNFIT:
        return text


def _texts(column: pa.Array) -> list[str | None]:
    import duckdb
    import pyarrow as pa

    with duckdb.connect(config={"enable_external_access": False}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = pa.Table.from_arrays([column], ["value"])
        rows = connection.from_arrow(table).project("CAST(value AS VARCHAR)").fetchall()
    return [row[0] for row in rows]


def _csv_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"  # every digit; a reader of CSV decides what a number is
    plain = jsonable(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (dict, list)) else plain
