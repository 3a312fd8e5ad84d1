"""Reading a table or a query of a Postgres into Parquet files: streamed, typed, in parts of one snapshot."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from psycopg import sql

from gamelake.errors import LayoutError, OperatorError, Place, StoreError
from gamelake.model.schema import ByType, ColumnType
from gamelake.model.steps import QueryInput, TableInput
from gamelake.stores.postgres_link import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gamelake.connections import PostgresConnection
    from gamelake.model.schema import Column
    from gamelake.model.steps import SourceInput
    from gamelake.stores.postgres_link import Session
    from gamelake.stores.remote import Remote

_MOST_AT_ONCE = 4
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
_RANGED = frozenset({ColumnType.INT, ColumnType.BIGINT})


@dataclass(frozen=True)
class Part:
    """One part-query: its number, and which rows are its own."""

    number: int
    condition: sql.Composable


class PostgresSource:
    """Reads what layouts declare as `table` or `query` inputs. Changes nothing there."""

    def __init__(self, connection: PostgresConnection, remote: Remote) -> None:
        self._connection = connection
        self._remote = remote

    def version(self, query: str) -> str:
        """What a version query answers: the first value of its first row, as text."""

        def ask() -> str:
            with _reading(self._connection) as link:
                row = link.execute(sql.SQL(_as_literal(query))).fetchone()
                return str(row[0]) if row else ""

        return self._remote.run(ask)

    def read(self, wanted: SourceInput, folder: Path) -> list[Path]:
        """Write the rows as Parquet files, one for each part; everything is of one moment.

        A part that fails is tried again alone, in the same snapshot; when the snapshot is lost with its
        session, all of it is read again. StoreError when the parts do not add up to the whole.
        """
        return self._remote.run(lambda: self._read(wanted, folder))

    def _read(self, wanted: SourceInput, folder: Path) -> list[Path]:
        with _reading(self._connection) as link:
            parts = _parts(link, wanted)
            if len(parts) == 1:
                path = folder / "part-0.parquet"
                _copy_out(link, wanted, parts[0], path)
                return [path]
            row = link.execute("SELECT pg_export_snapshot()").fetchone()
            assert row is not None
            with ThreadPoolExecutor(min(len(parts), _MOST_AT_ONCE), thread_name_prefix="part") as pool:
                done = list(pool.map(lambda part: self._read_part(wanted, part, row[0], folder), parts))
            rows = sum(count for _, count in done)
            count = sql.SQL("SELECT count(*) FROM {}").format(_relation(wanted))
            whole = link.execute(count).fetchone()
        if whole is None or whole[0] != rows:
            problem = f"the {len(parts)} parts of {_named(wanted)} have {rows} rows, the whole has {whole and whole[0]}"
            raise StoreError(
                problem, hint="split by a column whose values do not depend on when they are asked for"
            )
        return [path for path, _ in done]

    def _read_part(self, wanted: SourceInput, part: Part, snapshot: str, folder: Path) -> tuple[Path, int]:
        path = folder / f"part-{part.number}.parquet"

        def once() -> int:
            with _reading(self._connection, snapshot) as link:
                return _copy_out(link, wanted, part, path)

        return path, self._remote.run(once)


@contextmanager
def _reading(connection: PostgresConnection, snapshot: str | None = None) -> Iterator[Session]:
    """A session that sees one moment and may only read; a given snapshot's moment."""
    with session(connection) as link:
        link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if snapshot is not None:
            link.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        yield link


def _relation(wanted: SourceInput) -> sql.Composable:
    read = wanted.read
    if isinstance(read, TableInput):
        return sql.Identifier(*read.table.split("."))
    assert isinstance(read, QueryInput)
    return sql.SQL(f"(\n{_as_literal(read.sql)}\n) AS q")


def _as_literal(text: str) -> Any:
    """SQL that a person wrote for this database, as it stands; the driver's type wants text known beforehand."""
    return text.strip().rstrip(";")


def _named(wanted: SourceInput) -> str:
    return f"`{wanted.read.table}`" if isinstance(wanted.read, TableInput) else "the query"


def _parts(link: Session, wanted: SourceInput) -> list[Part]:
    """Conditions that hold for each row exactly once, also when the column is null."""
    if wanted.split is None or wanted.split.parts == 1:
        return [Part(0, sql.SQL("true"))]
    name, count = wanted.split.column, wanted.split.parts
    if name not in wanted.schema.names:
        problem = f"`split` names `{name}`, which is not a column of the input"
        raise LayoutError(problem, Place(key=f"{wanted.dataset}.split"))
    column = sql.Identifier(name)
    if wanted.schema[name].type not in _RANGED:
        bucket = sql.SQL("abs(coalesce(hashtextextended({}::text, 0), 0) % {}) = {}")
        return [Part(n, bucket.format(column, sql.Literal(count), sql.Literal(n))) for n in range(count)]
    query = sql.SQL("SELECT min({0}), max({0}) FROM {1}").format(column, _relation(wanted))
    least, greatest = link.execute(query).fetchone() or (None, None)
    if least is None:
        return [Part(0, sql.SQL("true"))]
    width = (int(greatest) - int(least)) // count + 1
    bounds = [int(least) + width * n for n in range(1, count)]
    return [Part(n, _between(column, bounds, n)) for n in range(count)]


def _between(column: sql.Identifier, bounds: list[int], n: int) -> sql.Composable:
    """The first part has no lower bound and takes the nulls, the last has no upper one."""
    above = sql.SQL("{} >= {}").format(column, sql.Literal(bounds[n - 1])) if n else sql.SQL("true")
    below = sql.SQL("{} < {}").format(column, sql.Literal(bounds[n])) if n < len(bounds) else sql.SQL("true")
    both = sql.SQL("({} AND {})").format(above, below)
    return both if n else sql.SQL("({} OR {} IS NULL)").format(both, column)


def _copy_out(link: Session, wanted: SourceInput, part: Part, path: Path) -> int:
    """Stream one part into a file; its rows."""
    asked = [
        sql.SQL(_ASKED[column.type][0]).format(sql.Identifier(column.name))
        for column in wanted.schema.columns
    ]
    query = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)").format(
        sql.SQL(", ").join(asked), _relation(wanted), part.condition
    )
    columns = wanted.schema.columns
    schema = pa.schema([(c.name, _stored(c)) for c in columns])
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer, link.cursor() as cursor:
        with cursor.copy(query) as copy:
            for batch in _batches(_CopyStream(copy), columns):
                arrays = [_typed(c, batch.column(n)) for n, c in enumerate(columns)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                rows += batch.num_rows
        if rows != cursor.rowcount:
            problem = f"Postgres sent {cursor.rowcount} rows, {rows} were understood"
            raise StoreError(problem, hint="run again")
    return rows


def _batches(stream: _CopyStream, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
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
