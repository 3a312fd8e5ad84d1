"""Reading a table or a query of a Trino into Parquet files: streamed page by page, cast there, in parts."""

from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.errors import LayoutError, OperatorError, Place
from gamelake.model.schema import ByType, ColumnType
from gamelake.stores.source import ARROW, SqlSource, quoted
from gamelake.stores.trino_link import session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gamelake.connections import TrinoConnection
    from gamelake.model.schema import Column
    from gamelake.stores.remote import Remote
    from gamelake.stores.source import Moment, Tell
    from gamelake.stores.trino_link import Link

_BATCH_ROWS = 20_000
_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
_NUMBERS = (*_INTEGERS, "real", "double", "decimal")
_TEXTS = ("varchar", "char")
_NESTED = ("array", "map", "row")
_WORDS = (
    "boolean",
    "date",
    "uuid",
    "ipaddress",
    "timestamp",
    "timestamp with time zone",
    "time",
    "time with time zone",
)
# declared type → types there that can be read as it, and how
_PLAIN: dict[ColumnType, dict[tuple[str, ...], str]] = {
    ColumnType.TEXT: {
        (
            *_TEXTS,
            *_NUMBERS,
            *_WORDS,
            "interval year to month",
            "interval day to second",
        ): "CAST({} AS varchar)",
        ("json",): "json_format({})",
        _NESTED: "json_format(CAST({} AS json))",
    },
    ColumnType.INT: {(*_INTEGERS, *_TEXTS): "CAST({} AS integer)"},
    ColumnType.BIGINT: {(*_INTEGERS, *_TEXTS): "CAST({} AS bigint)"},
    ColumnType.DOUBLE: {(*_NUMBERS, *_TEXTS): "CAST({} AS double)"},
    ColumnType.BOOL: {("boolean",): "{}", _TEXTS: "CAST({} AS boolean)"},
    ColumnType.DATE: {("date",): "{}", (*_TEXTS, "timestamp"): "CAST({} AS date)"},
    ColumnType.TIMESTAMP: {
        ("timestamp", "date", *_TEXTS): "CAST({} AS timestamp(6))",
        ("timestamp with time zone",): "CAST({} AT TIME ZONE 'UTC' AS timestamp(6))",
    },
    ColumnType.UUID: {("uuid",): "CAST({} AS varchar)", _TEXTS: "CAST(CAST({} AS uuid) AS varchar)"},
    ColumnType.BLOB: {("varbinary",): "{}"},
}
_ASKED = ByType(
    _PLAIN, lambda digits, scale: {(*_NUMBERS, *_TEXTS): f"CAST({{}} AS decimal({digits},{scale}))"}
)
_HINTS = {
    (
        ColumnType.DATE,
        "timestamp with time zone",
    ): "which day it is depends on the zone: write a `query` with `CAST(x AT TIME ZONE '…' AS date)`",
    (ColumnType.BIGINT, "decimal"): "declare it as a decimal, double or text, or round it in a `query`",
    (ColumnType.INT, "decimal"): "declare it as a decimal, double or text, or round it in a `query`",
}


class TrinoSource(SqlSource):
    """Reads what layouts declare as `table` or `query` inputs.

    Trino has no moment that several queries share: parts are compared with the whole as it was before them.
    """

    dialect = "trino"

    def __init__(self, connection: TrinoConnection, remote: Remote) -> None:
        super().__init__(remote)
        self._connection = connection

    @contextmanager
    def opened(self) -> Iterator[TrinoMoment]:
        with session(self._connection) as link:
            yield TrinoMoment(link, self)

    def asked(self, column: Column, there: str) -> str:
        base, scale = _base(there)
        known = _ASKED[column.type]
        for types, expression in known.items():
            if base in types:
                return expression.format(quoted(column.name))
        if base == "decimal" and scale == 0 and column.type in {ColumnType.INT, ColumnType.BIGINT}:
            return (
                f"CAST({quoted(column.name)} AS {'integer' if column.type is ColumnType.INT else 'bigint'})"
            )
        problem = f"`{column.name}` is {there} in Trino, which cannot be read as {column.type.value}"
        readable = [kind.value for kind, types in _PLAIN.items() if any(base in group for group in types)]
        told = (
            f"declare it as {' or '.join(readable)}"
            if readable
            else "leave it out, or convert it in a `query`"
        )
        raise LayoutError(problem, Place(key=f"schema.{column.name}"), _HINTS.get((column.type, base), told))

    def constant(self, column: Column, text: str) -> str:
        kinds = {ColumnType.DATE: "date", ColumnType.INT: "integer", ColumnType.BIGINT: "bigint"}
        value = "'" + text.replace("'", "''") + "'"
        return f"CAST({value} AS {kinds.get(column.type, 'varchar')})"

    def bucket(self, column: str, parts: int) -> str:
        return f"mod(coalesce(crc32(to_utf8(CAST({column} AS varchar))), 0), {parts})"


class TrinoMoment:
    """See `Moment`; each statement sees what is there when it starts."""

    def __init__(self, link: Link, source: TrinoSource) -> None:
        self._link = link
        self._source = source

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._link.asking(query) as answer:
            return [tuple(row) for batch in answer.batches(_BATCH_ROWS) for row in batch]

    def types(self, relation: str, columns: Sequence[str]) -> Mapping[str, str]:
        """A query of no rows: Trino plans it and reads nothing."""
        listed = ", ".join(quoted(name) for name in columns)
        with self._link.asking(f"SELECT {listed} FROM {relation}\nLIMIT 0") as answer:
            return dict(zip(columns, answer.types, strict=True))

    def copy(self, query: str, columns: Sequence[Column], path: Path, tell: Tell) -> int:
        schema = pa.schema([(column.name, ARROW[column.type]) for column in columns])
        rows = 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer, self._link.asking(query) as answer:
            for batch in answer.batches(_BATCH_ROWS):
                values = [
                    _typed(c, list(found)) for c, found in zip(columns, zip(*batch, strict=True), strict=True)
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(values, schema=schema))
                rows += len(batch)
                tell(len(batch))
        return rows

    @contextmanager
    def beside(self) -> Iterator[Moment]:
        with self._source.opened() as moment:
            yield moment


def _base(there: str) -> tuple[str, int | None]:
    """Type without its parameters, and the scale of a decimal.

    >>> _base("timestamp(6) with time zone"), _base("decimal(18,4)"), _base("array(row(a bigint))")
    (('timestamp with time zone', None), ('decimal', 4), ('array', None))
    """
    if there.startswith(_NESTED):
        return there.partition("(")[0], None
    scale = re.fullmatch(r"decimal\(\d+, ?(\d+)\)", there)
    return re.sub(r"\([^)]*\)", "", there), int(scale[1]) if scale else None


def _typed(column: Column, values: list[Any]) -> pa.Array:
    """What Trino writes as JSON, as Arrow: times and dates are texts there, and so are NaN and infinity."""
    wanted = ARROW[column.type]
    try:
        if column.type is ColumnType.DOUBLE:
            return pa.array([None if value is None else float(value) for value in values], wanted)
        if column.type is ColumnType.BLOB:
            return pa.array([None if value is None else base64.b64decode(value) for value in values], wanted)
        if column.type is ColumnType.DATE or column.type.size is not None:
            return pa.array(values, pa.string()).cast(wanted)
        if column.type is ColumnType.TIMESTAMP:
            return pa.array(values, pa.string()).cast(pa.timestamp("us")).cast(wanted)
        return pa.array(values, wanted)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        problem = f"a value of `{column.name}` that Trino sent cannot be read as {column.type.value}: {str(error).splitlines()[0]}"
        raise OperatorError(problem, Place(key=f"schema.{column.name}")) from error
