"""Apache Spark, on this machine or a cluster: runs SQL steps; everything else stays with the driver's DuckDB.

The SQL is DuckDB's dialect here too. DuckDB binds it first, so that a mistake is told in the same words whatever
engine runs it; then it is transpiled to Spark SQL of equal values (`layouts/transpile.py`). Spark reads lists of
Parquet files and writes Parquet files; a cluster must see them under the same paths.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager, suppress
from functools import reduce
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gamelake.engines.outside import Part
from gamelake.engines.spark_files import adopt
from gamelake.engines.spark_start import SparkOptions, require_spark, spark_session
from gamelake.errors import CancelledRunError, GamelakeError, LayoutError, OperatorError
from gamelake.layouts.transpile import to_spark
from gamelake.model.schema import ByType, ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb
    from pyspark.sql import DataFrame
    from pyspark.sql import SparkSession as Spark

    from gamelake.engines.base import Written
    from gamelake.engines.duckdb import DuckDBEngine, DuckDBSession
    from gamelake.model.schema import Schema

_SPARK = ByType(
    {
        ColumnType.TEXT: "STRING",
        ColumnType.INT: "INT",
        ColumnType.BIGINT: "BIGINT",
        ColumnType.DOUBLE: "DOUBLE",
        ColumnType.BOOL: "BOOLEAN",
        ColumnType.DATE: "DATE",
        ColumnType.TIMESTAMP: "TIMESTAMP",
        ColumnType.UUID: "BINARY",  # 16 bytes in the file; a text for the query
        ColumnType.BLOB: "BINARY",
    },
    "DECIMAL({},{})".format,
)
_VALUE_ERRORS = ("ARITHMETIC_OVERFLOW", "CAST_INVALID_INPUT", "CAST_OVERFLOW", "DIVIDE_BY_ZERO", "DATETIME_OVERFLOW",
                 "INVALID_", "NUMERIC_", "REMAINDER_BY_ZERO", "USER_RAISED_EXCEPTION", "CANNOT_PARSE", "SCALAR_SUBQUERY")  # fmt: skip


class SparkSQLSession:
    """A session whose `write` runs on Spark; the driver's DuckDB does the rest over the same files."""

    def __init__(self, driver: DuckDBSession, options: SparkOptions) -> None:
        self._driver = driver
        self._options = options
        self._tag = f"gamelake_{uuid4().hex}"
        self._views: dict[str, tuple[Schema, tuple[str | Part, ...]]] = {}
        self._made: dict[str, tuple[Schema, tuple[str | Part, ...]]] = {}  # what stands behind Spark's views
        self._lock = Lock()
        self._busy = False
        self._stopped = False

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        return self._driver.connection

    def view(self, name: str, schema: Schema, files: Sequence[str], *, mixed: bool = False) -> None:
        # Spark reads by the declared schema anyway: a missing column is null, a narrower type is widened
        self._driver.view(name, schema, files, mixed=mixed)
        self._views[name] = (schema, tuple(files))

    def outside(self, name: str, schema: Schema, parts: Sequence[Part]) -> None:
        self._driver.outside(name, schema, parts)
        self._views[name] = (schema, tuple(part for part in parts if part.files))

    def columns(self, sql: str) -> list[str]:
        return self._driver.columns(sql)

    def transpiled(self, sql: str, schema: Schema) -> str:
        """What Spark is asked, views under their own names."""
        tables = {name: view_schema for name, (view_schema, _) in self._views.items()}
        return to_spark(sql, tables, schema)

    def write(self, sql: str, schema: Schema, file: Path) -> list[Written]:
        self._bind(sql, schema)
        tables = {name: view_schema for name, (view_schema, _) in self._views.items()}
        relations = {name: self._relation(name) for name in self._views}
        asked = to_spark(sql, tables, schema, relations=relations)
        spark = spark_session(self._options)
        for name in self._views:
            self._make(spark, name)
        folder = file.parent / f".{file.stem}.spark"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._running(spark):
                rows = spark.sql(asked)
                rows.write.mode("overwrite").option("compression", "zstd").parquet(str(folder))
            return adopt(folder, schema, file)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def one_row(self, sql: str) -> dict[str, Any]:
        return self._driver.one_row(sql)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return self._driver.rows(sql)

    def repeats(self, sql: str, rows: int) -> int:
        return self._driver.repeats(sql, rows)

    def interrupt(self) -> None:
        self._driver.interrupt()
        with self._lock:
            if not self._busy:
                return
            self._stopped = True
        spark = spark_session(self._options)
        if self._options.remote:
            spark.interruptTag(self._tag)
        else:
            spark.sparkContext.cancelJobGroup(self._tag)

    def close(self) -> None:
        """Forget the views in Spark."""
        if self._made:
            spark = spark_session(self._options)
            for name in self._made:
                with suppress(Exception):  # a session that was lost has no views to drop
                    spark.catalog.dropTempView(self._relation(name))
            self._made = {}

    def _bind(self, sql: str, schema: Schema) -> None:
        """Let DuckDB find the author's mistakes: unknown names, wrong arguments, a column that is not given."""
        columns = ", ".join(f'CAST("{c.name}" AS {c.type.sql})' for c in schema.columns)
        self._driver.columns(f"SELECT {columns} FROM ({sql}\n)")

    def _relation(self, name: str) -> str:
        # all sessions share one Spark, and so the names of its views
        return f"{self._tag}_{list(self._views).index(name)}"

    def _make(self, spark: Spark, name: str) -> None:
        schema, files = self._views[name]
        if self._made.get(name) == (schema, files):
            return
        try:
            rows = _rows(spark, schema, files) if files else _uuids(spark.sql(_no_rows(schema)), schema)
            rows.createOrReplaceTempView(self._relation(name))
        except Exception as err:  # py4j and the Connect client each have a tree of their own
            raise _translated(err) from err
        self._made[name] = (schema, files)

    @contextmanager
    def _running(self, spark: Spark) -> Iterator[None]:
        with self._lock:
            self._busy, self._stopped = True, False
        if self._options.remote:
            spark.addTag(self._tag)
        else:
            spark.sparkContext.setJobGroup(self._tag, "gamelake", interruptOnCancel=True)
        try:
            yield
        except GamelakeError:
            raise
        except Exception as err:  # as above
            if self._stopped:
                raise CancelledRunError("the query was stopped") from err
            raise _translated(err) from err
        finally:
            with self._lock:
                self._busy = False
            if self._options.remote:
                with suppress(Exception):  # after a lost connection there is nothing to untag
                    spark.removeTag(self._tag)


class SparkEngine:
    """SQL steps on Spark; sessions share the process's one Spark and the driver's DuckDB.

    Spark starts with the first query, not before.
    """

    name = "spark"

    def __init__(self, driver: DuckDBEngine, options: SparkOptions) -> None:
        require_spark(remote=options.remote)
        self._driver = driver
        self._options = options

    @contextmanager
    def session(self) -> Iterator[SparkSQLSession]:
        with self._driver.session() as driver:
            session = SparkSQLSession(driver, self._options)
            try:
                yield session
            finally:
                session.close()

    def close(self) -> None:
        """Nothing: Spark serves other engines of this process and ends with it; DuckDB has its own owner."""


def _rows(spark: Spark, schema: Schema, files: Sequence[str | Part]) -> DataFrame:
    """Rows of our own files, or of others' by slice.

    A file list: no folder is searched, no column is made of its name, no wildcard is seen in it.
    """
    parts = [part for part in files if isinstance(part, Part)]
    if not parts:
        declared = ", ".join(f"{_quoted(c.name)} {_SPARK[c.type]}" for c in schema.columns)
        reader = spark.read.schema(declared).option("__globPaths__", "false")
        return _uuids(reader.parquet(*map(str, files)), schema)
    rows = [_foreign(spark, schema, part) for part in parts]
    return reduce(lambda one, other: one.unionAll(other), rows)


def _foreign(spark: Spark, schema: Schema, part: Part) -> DataFrame:
    """Files of others have types of their own: each column is cast, as DuckDB does."""
    told = part.slice.as_dict()
    rows = spark.read.option("__globPaths__", "false").parquet(*part.files)
    values = {name: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for name, text in told.items()}
    return rows.selectExpr(
        *(
            f"CAST({values.get(c.name, _quoted(c.name))} AS {_SPARK[c.type]}) AS {_quoted(c.name)}"
            for c in schema.columns
        )
    )


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _no_rows(schema: Schema) -> str:
    columns = ", ".join(f"CAST(NULL AS {_SPARK[c.type]}) AS {_quoted(c.name)}" for c in schema.columns)
    return f"SELECT {columns} WHERE false"


def _uuids(rows: DataFrame, schema: Schema) -> DataFrame:
    """16 bytes → the text with hyphens."""
    if not any(column.type is ColumnType.UUID for column in schema.columns):
        return rows
    return rows.selectExpr(
        *(_uuid_text(c.name) if c.type is ColumnType.UUID else _quoted(c.name) for c in schema.columns)
    )


def _uuid_text(name: str) -> str:
    letters = f"lower(hex({_quoted(name)}))"
    parts = ", ".join(
        f"substring({letters}, {at}, {length})" for at, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    )
    return f"CASE WHEN {_quoted(name)} IS NOT NULL THEN concat_ws('-', {parts}) END AS {_quoted(name)}"


def _translated(err: Exception) -> GamelakeError:
    """Our error for one of Spark's, by who can act on it."""
    text = str(err)
    found = re.search(r"\[([A-Z][A-Z0-9_.]+)\] (.*?)(?: SQLSTATE|\n|$)", text)
    if found is None:
        problem = f"Spark failed: {type(err).__name__}: {text.strip().splitlines()[0] if text.strip() else 'no message'}"
        return OperatorError(problem, hint="the Spark log of the project has more")
    for condition, message in re.findall(r"\[([A-Z][A-Z0-9_.]+)\] (.*?)(?: SQLSTATE|\n|$)", text):
        if condition.startswith(_VALUE_ERRORS):
            hint = "use `TRY_CAST` where a value may be unfit, or widen the column's type"
            return LayoutError(f"a value does not fit: {message.strip()}", hint=hint)
    condition, message = found[1], found[2].strip()
    if "AnalysisException" in type(err).__name__ or "ParseException" in type(err).__name__:
        return LayoutError(f"Spark cannot run the SQL: {message}", hint=f"Spark calls it {condition}")
    return OperatorError(f"Spark failed: {message}", hint=f"Spark calls it {condition}")
