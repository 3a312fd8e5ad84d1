"""Local tables in place of another system's: Parquet files or a DuckDB file, asked in that system's SQL.

So the same layouts run on a laptop. Queries are transpiled; integers are divided as that system divides them.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.errors import GamelakeError, LayoutError, OperatorError, Place, StoreError, did_you_mean
from gamelake.model.schema import ByType, ColumnType
from gamelake.stores.source import ARROW, SqlSource, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlglot import exp

    from gamelake.connections import DuckDBConnection
    from gamelake.model.schema import Column
    from gamelake.stores.remote import Remote
    from gamelake.stores.source import Tell

_BATCH_ROWS = 100_000
_MEMORY = "1GB"  # beside the engine's own budget
_ASKED: ByType[str] = ByType(
    {
        ColumnType.TEXT: "CAST({} AS VARCHAR)",
        ColumnType.INT: "CAST({} AS INTEGER)",
        ColumnType.BIGINT: "CAST({} AS BIGINT)",
        ColumnType.DOUBLE: "CAST({} AS DOUBLE)",
        ColumnType.BOOL: "CAST({} AS BOOLEAN)",
        ColumnType.DATE: "CAST({} AS DATE)",
        ColumnType.TIMESTAMP: "CAST({} AS TIMESTAMPTZ)",
        ColumnType.UUID: "CAST(CAST({} AS UUID) AS VARCHAR)",
        ColumnType.BLOB: "CAST({} AS BLOB)",
    },
    "CAST({{}} AS DECIMAL({},{}))".format,
)
_NESTED = ("STRUCT", "MAP", "UNION")
_MISTAKES = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
_UNFIT = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)


class LocalSource(SqlSource):
    """Reads what layouts declare as `table` or `query` inputs, from this machine."""

    def __init__(self, connection: DuckDBConnection, root: Path, remote: Remote) -> None:
        super().__init__(remote)
        self.dialect = connection.dialect
        self._connection = connection
        self._root = root

    @contextmanager
    def opened(self) -> Iterator[LocalMoment]:
        known = self._connection
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            if known.database is None:
                link = duckdb.connect(":memory:", config=config)
            else:
                link = duckdb.connect(str(self._there(known.database)), read_only=True, config=config)
        except duckdb.Error as error:
            problem = f"`{known.database}` cannot be opened: {_first_line(error)}"
            raise OperatorError(problem, Place(key=f"connections.{known.name}.database")) from error
        try:
            link.execute("SET TimeZone = 'UTC'")
            if known.dialect != "duckdb":
                link.execute("SET integer_division = true")
            yield LocalMoment(link)
        finally:
            link.close()

    def asked(self, column: Column, there: str) -> str:
        name = quoted(column.name)
        if column.type is ColumnType.TEXT and (there.endswith("[]") or there.startswith(_NESTED)):
            return f"CAST(to_json({name}) AS VARCHAR)"
        if column.type is ColumnType.DATE and there == "TIMESTAMP WITH TIME ZONE":
            problem = f"`{column.name}` is {there.lower()} there, which cannot be read as date"
            hint = (
                "which day it is depends on the zone: write a `query` with `CAST(x AT TIME ZONE '…' AS date)`"
            )
            raise LayoutError(problem, Place(key=f"schema.{column.name}"), hint)
        return _ASKED[column.type].format(name)

    def constant(self, column: Column, text: str) -> str:
        value = "'" + text.replace("'", "''") + "'"
        return _ASKED[column.type].format(value)

    def bucket(self, column: str, parts: int) -> str:
        return f"CAST(hash(CAST({column} AS VARCHAR)) % {parts} AS BIGINT)"

    def words(self, sql: str) -> str:
        """The query in DuckDB's dialect, its tables replaced by where they lie; LayoutError for what it cannot say."""
        import sqlglot
        from sqlglot import exp
        from sqlglot.errors import ErrorLevel, SqlglotError

        try:
            tree = sqlglot.parse_one(sql, read=self.dialect)
            own = {cte.alias for cte in tree.find_all(exp.CTE)}
            for table in list(tree.find_all(exp.Table)):
                if table.name not in own or table.db:
                    table.replace(self._placed(table))
            return tree.sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE)
        except SqlglotError as error:
            problem = f"the query cannot be run on local tables: {str(error).splitlines()[0]}"
            raise LayoutError(problem, hint=f"it is read as {self.dialect}, and DuckDB runs it") from error

    def table(self, name: str) -> str:
        return super().table(name) if self._connection.folder is None else self._files(name)

    def _placed(self, table: exp.Table) -> exp.Expr:
        import sqlglot
        from sqlglot import exp

        schema = table.db or self._connection.default_schema
        if not schema:
            problem = f"the query does not say of which schema `{table.name}` is"
            raise LayoutError(problem, hint="write `schema.table`, or give the connection a `schema`")
        if self._connection.folder is None:
            return exp.table_(table.name, db=schema, alias=table.alias or None)
        read = sqlglot.parse_one(f"SELECT * FROM {self._files(f'{schema}.{table.name}')}", read="duckdb")
        assert isinstance(read, exp.Query)
        return read.subquery(table.alias or table.name)

    def ping(self) -> str:
        """What there is, in words."""
        where = self._connection.where
        if not self._there(where).exists():
            problem = f"`{where}` is not there"
            raise OperatorError(problem, Place(key=f"connections.{self._connection.name}"))
        return f"local tables in {where}"

    def _there(self, path: str) -> Path:
        return self._root / Path(path).expanduser()

    def _files(self, name: str) -> str:
        schema, _, table = name.rpartition(".")
        folder = self._there(self._connection.folder or "") / schema
        file = folder / f"{table}.parquet"
        if file.is_file():
            return f"read_parquet({_text(file)}, hive_partitioning = false)"
        if (folder / table).is_dir():
            return f"read_parquet({_text(folder / table / '**' / '*.parquet')}, hive_partitioning = true, union_by_name = true)"
        known = [each.stem for each in folder.iterdir()] if folder.is_dir() else []
        problem = f"there is no table `{name}`: neither {file} nor a folder of that name"
        raise LayoutError(problem, hint=did_you_mean(table, known))


class LocalMoment:
    """See `Moment`."""

    def __init__(self, link: duckdb.DuckDBPyConnection) -> None:
        self._link = link

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with _told():
            table = self._link.sql(query).to_arrow_table()  # fetchall() of a zoned timestamp asks for pytz
        return [tuple(row.values()) for row in table.to_pylist()]

    def types(self, relation: str, columns: Sequence[str]) -> Mapping[str, str]:
        listed = ", ".join(quoted(name) for name in columns)
        with _told():
            found = self._link.sql(f"SELECT {listed} FROM {relation} LIMIT 0").types
        return {name: str(kind) for name, kind in zip(columns, found, strict=True)}

    def copy(self, query: str, columns: Sequence[Column], path: Path, tell: Tell) -> int:
        schema = pa.schema([(column.name, ARROW[column.type]) for column in columns])
        rows = 0
        with _told():
            reader = self._link.sql(query).to_arrow_reader(_BATCH_ROWS)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            while True:
                with _told():
                    batch = next(reader, None)
                if batch is None:
                    return rows
                values = [batch.column(n).cast(kind.type) for n, kind in enumerate(schema)]
                writer.write_batch(pa.RecordBatch.from_arrays(values, schema=schema))
                rows += batch.num_rows
                tell(batch.num_rows)

    @contextmanager
    def beside(self) -> Iterator[LocalMoment]:
        link = self._link.cursor()
        try:
            yield LocalMoment(link)
        finally:
            link.close()


@contextmanager
def _told() -> Iterator[None]:
    """Errors of DuckDB as ours, by who can act on them."""
    try:
        yield
    except GamelakeError:
        raise
    except _MISTAKES as error:
        raise LayoutError(f"DuckDB cannot run the SQL: {_first_line(error)}") from error
    except _UNFIT as error:
        raise LayoutError(f"a value does not fit: {_first_line(error)}") from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise StoreError(f"DuckDB failed: {_first_line(error)}", hint="run again") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
