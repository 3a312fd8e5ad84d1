"""Reading a table or a query of a Postgres into Parquet files: streamed, typed, in parts of one snapshot."""

from __future__ import annotations

import io
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from psycopg import sql

from gamelake.errors import OperatorError, StoreError
from gamelake.model.schema import ByType, ColumnType
from gamelake.stores.postgres_link import session
from gamelake.stores.source import SqlSource, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gamelake.connections import PostgresConnection
    from gamelake.model.schema import Column
    from gamelake.stores.postgres_link import Session
    from gamelake.stores.remote import Remote
    from gamelake.stores.source import Tell

_BLOCK_BYTES = 4 * 1_048_576
# how a column is asked for, and what the text of the answer is read as
_ASKED: ByType[tuple[str, pa.DataType]] = ByType(
    {
        ColumnType.TEXT: ("{}::text", pa.string()),
        ColumnType.INT: ("{}::integer", pa.int32()),
        ColumnType.BIGINT: ("{}::bigint", pa.int64()),
        ColumnType.DOUBLE: ("{}::double precision", pa.float64()),
        ColumnType.BOOL: ("{}::boolean", pa.bool_()),
        ColumnType.DATE: ("{}::date - date '1970-01-01'", pa.int32()),
        ColumnType.TIMESTAMP: ("(extract(epoch FROM {}::timestamptz) * 1000000)::bigint", pa.int64()),
        ColumnType.UUID: ("{}::uuid::text", pa.string()),
        ColumnType.BLOB: ("encode({}::bytea, 'hex')", pa.string()),
    },
    lambda digits, scale: (f"{{}}::numeric({digits},{scale})::text", pa.string()),
)
_WHOLE = frozenset({ColumnType.INT, ColumnType.BIGINT})
_FRACTIONAL = frozenset({"float4", "float8", "numeric"})


class PostgresSource(SqlSource):
    """Reads what layouts declare as `table` or `query` inputs; everything it reads at once is of one moment.

    A part that fails is tried again in the same snapshot; when that is lost with its session, all of it is.
    """

    dialect = "postgres"

    def __init__(self, connection: PostgresConnection, remote: Remote) -> None:
        super().__init__(remote)
        self._connection = connection

    @contextmanager
    def opened(self, snapshot: str | None = None) -> Iterator[PostgresMoment]:
        """A session that sees one moment and may only read; a given snapshot's moment."""
        with session(self._connection) as link:
            link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if snapshot is not None:
                link.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
            yield PostgresMoment(link, self)

    def asked(self, column: Column, there: str) -> str:
        name, form = quoted(column.name), _ASKED[column.type][0]
        if column.type in _WHOLE and there in _FRACTIONAL:
            # Postgres rounds a fraction into a whole number; as text it is an error that names the value
            return f"CASE WHEN {name} = trunc({name}) THEN {form.format(name)} ELSE {form.format(f'{name}::text')} END"
        return form.format(name)

    def constant(self, column: Column, text: str) -> str:
        value = "'" + text.replace("'", "''") + "'"
        typed = f"{value}::date" if column.type is ColumnType.DATE else value
        return _ASKED[column.type][0].format(f"({typed})")

    def bucket(self, column: str, parts: int) -> str:
        return f"abs(coalesce(hashtextextended({column}::text, 0), 0) % {parts})"


class PostgresMoment:
    """See `Moment`."""

    def __init__(self, link: Session, source: PostgresSource) -> None:
        self._link = link
        self._source = source
        self._snapshot: str | None = None
        self._lock = Lock()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._link.execute(sql.SQL(_as_literal(query))).fetchall()

    def types(self, relation: str, columns: Sequence[str]) -> Mapping[str, str]:
        listed = ", ".join(quoted(name) for name in columns)
        answer = self._link.execute(sql.SQL(_as_literal(f"SELECT {listed} FROM {relation} LIMIT 0")))
        known = [self._link.adapters.types.get(column.type_code) for column in answer.description or ()]
        return {name: kind.name if kind else "unknown" for name, kind in zip(columns, known, strict=True)}

    @contextmanager
    def beside(self) -> Iterator[PostgresMoment]:
        with self._lock:
            if self._snapshot is None:
                self._snapshot = str(self.rows("SELECT pg_export_snapshot()")[0][0])
        with self._source.opened(self._snapshot) as moment:
            yield moment

    def copy(self, query: str, columns: Sequence[Column], path: Path, tell: Tell) -> int:
        schema = pa.schema([(column.name, _stored(column)) for column in columns])
        wanted = sql.SQL(_as_literal(f"COPY ({query}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)"))
        rows = 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer, self._link.cursor() as cursor:
            with cursor.copy(wanted) as copy:
                for batch in _batches(_CopyStream(copy), columns):
                    arrays = [_typed(c, batch.column(n)) for n, c in enumerate(columns)]
                    writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                    rows += batch.num_rows
                    tell(batch.num_rows)
            if rows != cursor.rowcount:
                problem = f"Postgres sent {cursor.rowcount} rows, {rows} were understood"
                raise StoreError(problem, hint="run again")
        return rows


def _as_literal(text: str) -> Any:
    """SQL that a person wrote for this database, as it stands; the driver's type wants text known beforehand."""
    return text


def _batches(stream: _CopyStream, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """Typed batches of a bounded size; a broken session is raised as what it is."""
    options = pc.ConvertOptions(
        column_types={str(n): _ASKED[c.type][1] for n, c in enumerate(columns)},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,  # everything is quoted but nulls
        true_values=["t"],
        false_values=["f"],
    )
    read = pc.ReadOptions(
        column_names=[str(n) for n in range(len(columns))], block_size=_BLOCK_BYTES, use_threads=False
    )
    try:
        yield from pc.open_csv(
            pa.PythonFile(stream, "r"),
            read_options=read,
            parse_options=pc.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=options,
        )
    except (pa.ArrowException, OSError) as error:
        if stream.error is not None:
            raise stream.error from error
        if not stream.received:
            return  # Arrow takes no rows for a broken file
        problem = f"an answer of Postgres cannot be read: {str(error).splitlines()[0]}"
        raise OperatorError(problem) from error
    if stream.error is not None:
        raise stream.error


class _CopyStream(io.RawIOBase):
    """What COPY sends, as a file."""

    def __init__(self, copy: Any) -> None:
        self.error: Exception | None = None
        self.received = 0
        self._copy = copy
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = _BLOCK_BYTES if size is None or size < 0 else size
        pieces, held = [self._rest], len(self._rest)
        try:
            while held < wanted and (piece := self._copy.read()):
                pieces.append(bytes(piece))
                held += len(pieces[-1])
                self.received += len(pieces[-1])
        except Exception as error:
            self.error = error  # Arrow would make an OSError of it
            raise
        joined = b"".join(pieces)
        self._rest = joined[wanted:]
        return joined[:wanted]


def _stored(column: Column) -> pa.DataType:
    if column.type.size is not None:
        return pa.decimal128(*column.type.size)
    kinds = {
        ColumnType.DATE: pa.date32(),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
        ColumnType.BLOB: pa.binary(),
    }
    return kinds.get(column.type, _ASKED[column.type][1])


def _typed(column: Column, values: pa.Array) -> pa.Array:
    if column.type is ColumnType.DATE:
        return values.cast(pa.date32())
    if column.type is ColumnType.TIMESTAMP:
        return values.cast(pa.timestamp("us", tz="UTC"))
    if column.type.size is not None:
        return values.cast(pa.decimal128(*column.type.size))
    if column.type is ColumnType.BLOB:
        return pa.array([None if v is None else bytes.fromhex(v) for v in values.to_pylist()], pa.binary())
    return values
