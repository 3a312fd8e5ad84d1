"""DuckDB in our own process: one database in memory, shared by all sessions, so one budget bounds them."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb

from gamelake.engines.base import ColumnFacts, Written
from gamelake.engines.outside import outside_scan
from gamelake.errors import CancelledRunError, GamelakeError, LayoutError, OperatorError
from gamelake.model.publish import StagedFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from gamelake.engines.outside import Part
    from gamelake.model.schema import Schema

_SHARE_OF_MACHINE = "60%"
_SORTED_IN_MEMORY = 32_000_000  # hashes, 256 MB; more of them go to DuckDB, which can spill
_HASH_BATCH = 1_000_000
_TEXT_TYPES = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
)
_VALUE_TYPES = (
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.InvalidInputException,
    duckdb.ConstraintException,
)


class DuckDBSession:
    """A cursor on the engine's database, with views of its own."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        return self._cursor

    def view(self, name: str, schema: Schema, files: Sequence[str], *, mixed: bool = False) -> None:
        query = mixed_scan(self._cursor, schema, files) if mixed else scan(schema, files)
        self._run(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS {query}")

    def outside(self, name: str, schema: Schema, parts: Sequence[Part]) -> None:
        self._run(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS {outside_scan(schema, parts)}")

    def columns(self, sql: str) -> list[str]:
        return self._relation(f"SELECT * FROM ({sql}\n) LIMIT 0").columns

    def write(self, sql: str, schema: Schema, file: Path) -> list[Written]:
        columns = ", ".join(
            f"CAST({quoted(c.name)} AS {c.type.sql}) AS {quoted(c.name)}" for c in schema.columns
        )
        copy = f"COPY (SELECT {columns} FROM ({sql}\n)) TO {text_literal(str(file))} (FORMAT parquet, COMPRESSION zstd, RETURN_STATS)"
        answers = self._run(copy).fetchall()
        if not answers or answers[0][1] == 0:
            file.unlink(missing_ok=True)
            return []
        answer = answers[0]
        facts = {name.strip('"'): _facts(found) for name, found in answer[4].items()}
        return [Written(StagedFile(str(file), answer[1], answer[2]), facts)]

    def one_row(self, sql: str) -> dict[str, Any]:
        return self.rows(sql)[0]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        try:
            # through Arrow: fetchall() of a zoned timestamp asks for pytz
            found: list[dict[str, Any]] = self._relation(sql).to_arrow_table().to_pylist()
        except duckdb.Error as err:
            raise translated(err) from err
        return found

    def repeats(self, sql: str, rows: int) -> int:
        if rows > _SORTED_IN_MEMORY:
            answer: int = self.one_row(f"SELECT count(*) - count(DISTINCT h) AS n FROM ({sql}) AS t(h)")["n"]
            return answer
        import numpy as np

        # sorting plain numbers takes a fifth of what a hash table of them does
        hashes = np.empty(rows, np.uint64)
        filled = 0
        try:
            for batch in self._relation(sql).to_arrow_reader(_HASH_BATCH):
                hashes[filled : filled + batch.num_rows] = batch.column(0).to_numpy()
                filled += batch.num_rows
        except duckdb.Error as err:
            raise translated(err) from err
        hashes.sort()
        return int(np.count_nonzero(hashes[1:] == hashes[:-1]))

    def interrupt(self) -> None:
        self._cursor.interrupt()

    def _relation(self, sql: str) -> duckdb.DuckDBPyRelation:
        try:
            return self._cursor.sql(sql)
        except duckdb.Error as err:
            raise translated(err) from err

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._cursor.execute(sql)
        except duckdb.Error as err:
            raise translated(err) from err


class DuckDBEngine:
    """Opens sessions on one in-memory database that spills into the project's folder."""

    name = "duckdb"

    def __init__(self, spill: Path, *, memory: str | None = None, threads: int | None = None) -> None:
        self.spill = spill_folder(spill)
        _remove_spill_of_the_dead(spill)
        self.spill.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        self._database = duckdb.connect(
            ":memory:", config={**machine_config(memory, threads), "temp_directory": str(self.spill)}
        )

    @contextmanager
    def session(self) -> Iterator[DuckDBSession]:
        with self._lock:
            cursor = self._database.cursor()
        try:
            cursor.execute("SET TimeZone = 'UTC'")
            yield DuckDBSession(cursor)
        finally:
            cursor.close()

    def close(self) -> None:
        self._database.close()
        shutil.rmtree(self.spill, ignore_errors=True)


def scan(schema: Schema, files: Sequence[str], *, stored: Collection[str] | None = None) -> str:
    """SELECT over Parquet files; typed and without rows when there are none.

    `stored` names the columns the files have, where they may have been written for an older schema: what they
    lack is null.
    """
    if not files:
        columns = ", ".join(f"CAST(NULL AS {c.type.sql}) AS {quoted(c.name)}" for c in schema.columns)
        return f"SELECT {columns} WHERE false"
    columns = ", ".join(
        quoted(c.name)
        if stored is None or c.name in stored
        else f"CAST(NULL AS {c.type.sql}) AS {quoted(c.name)}"
        for c in schema.columns
    )
    listed = ", ".join(text_literal(file) for file in files)
    # slices live in folders named column=value; the files hold those columns themselves
    return f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false)"


def mixed_scan(connection: duckdb.DuckDBPyConnection, schema: Schema, files: Sequence[str]) -> str:
    """`scan` of files written for several versions of a schema: what a file lacks is null, types are the schema's."""
    if not files:
        return scan(schema, files)
    listed = ", ".join(text_literal(file) for file in files)
    source = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
    stored = set(connection.sql(f"SELECT * FROM {source} LIMIT 0").columns)
    columns = ", ".join(
        f"CAST({quoted(c.name) if c.name in stored else 'NULL'} AS {c.type.sql}) AS {quoted(c.name)}"
        for c in schema.columns
    )
    return f"SELECT {columns} FROM {source}"


def quoted(name: str) -> str:
    """SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


def translated(err: duckdb.Error) -> GamelakeError:
    """Our error for one of DuckDB's, by who can act on it."""
    message = str(err).partition("\n\nLINE")[0].strip()
    if isinstance(err, duckdb.InterruptException):
        return CancelledRunError("the query was stopped")
    if isinstance(err, _TEXT_TYPES):
        return LayoutError(f"DuckDB cannot run the SQL: {message}")
    if isinstance(err, _VALUE_TYPES):
        hint = "use `TRY_CAST` where a value may be unfit, or widen the column's type"
        return LayoutError(f"a value does not fit: {message}", hint=hint)
    if isinstance(err, duckdb.OutOfMemoryException):
        hint = "raise `memory` in gamelake.toml, or free disk space for `.gamelake/`"
        return OperatorError(f"the engine's budget is used up: {message}", hint=hint)
    return OperatorError(f"DuckDB failed: {message}")


def spill_folder(spill: Path) -> Path:
    """Where this process spills; named so that others see when it is left over."""
    return spill / f"duckdb-{os.getpid()}"


def machine_config(memory: str | None, threads: int | None = None) -> dict[str, Any]:
    """Settings of every DuckDB we open: our budget, no downloads, UTC."""
    return {
        "memory_limit": _memory(memory or _SHARE_OF_MACHINE),
        "threads": threads or os.cpu_count() or 1,
        "preserve_insertion_order": False,  # lets one file be written by all threads; ORDER BY still holds
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def memory_share(memory: str | None, parts: int) -> str:
    """One of so many equal parts of a budget.

    >>> memory_share("4 GB", 8)
    '0.500GB'
    """
    found = re.fullmatch(r"([\d.]+)(\D+)", _memory(memory or _SHARE_OF_MACHINE))
    assert found is not None  # the settings accept nothing else
    return f"{float(found[1]) / parts:.3f}{found[2]}"


def _memory(text: str) -> str:
    """DuckDB knows no shares of the machine: `60%` → bytes."""
    if not text.endswith("%"):
        return text.replace(" ", "")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{int(total * float(text[:-1]) / 100) // 1_048_576}MiB"


def _facts(found: dict[str, str]) -> ColumnFacts:
    exact = found.get("min_is_exact", "true") == "true" and found.get("max_is_exact", "true") == "true"
    nulls = found.get("null_count")
    return ColumnFacts(
        nulls=int(nulls) if nulls is not None else None,
        least=found.get("min") if exact else None,
        greatest=found.get("max") if exact else None,
    )


def _remove_spill_of_the_dead(folder: Path) -> None:
    """A killed process leaves its spill files; nobody else ever reads them."""
    for left in folder.glob("duckdb-*"):
        pid = left.name.partition("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
