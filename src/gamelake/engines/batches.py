"""A stream of DuckDB's rows whose errors are DuckDB's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS: dict[str, type[duckdb.Error]] = {
    "Conversion Error": duckdb.ConversionException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Invalid Input Error": duckdb.InvalidInputException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "Out of Range Error": duckdb.OutOfRangeException,
}


class Batches:
    """Schema and batches of an Arrow reader over a query.

    Rows are computed while they are read, and Arrow calls every error in that an OSError. Here it is
    the `duckdb.Error` it was, so that nobody mistakes a value that does not fit for a broken disk.
    """

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self.schema = reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except (OSError, pa.ArrowException) as error:
                raise _original(error) from error
            yield batch


def _original(error: Exception) -> duckdb.Error:
    text = str(error).partition(". Detail: ")[0]
    return _KINDS.get(text.partition(":")[0], duckdb.Error)(text)
