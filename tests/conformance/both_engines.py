"""Two sessions over the same rows, one on DuckDB and one on Spark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.engines.arrow import write_rows
from gamelake.model.schema import Column, ColumnType, Schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY = Column("id", ColumnType.BIGINT)


class Both:
    """Runs SQL on both engines and gives back the rows each wrote, sorted."""

    def __init__(self, duckdb, spark, folder: Path) -> None:
        self.sessions = {"duckdb": duckdb, "spark": spark}
        self.folder = folder

    def view(self, name: str, schema: Schema, rows: Sequence[tuple]) -> None:
        columns = list(zip(*rows, strict=True)) or [()] * len(schema.columns)
        table = pa.table({c.name: _array(c, v) for c, v in zip(schema.columns, columns, strict=True)})
        written = write_rows([table], schema, self.folder / f"{uuid4()}.parquet")
        for session in self.sessions.values():
            session.view(name, schema, [written.file.path] if written else [])

    def rows(self, engine: str, sql: str, schema: Schema) -> list[tuple]:
        written = self.sessions[engine].write(sql, schema, self.folder / f"{uuid4()}.parquet")
        tables = [pq.read_table(part.file.path) for part in written]
        found = [tuple(row.values()) for table in tables for row in table.to_pylist()]
        return sorted(found, key=repr)

    def columns(
        self, cases: dict[str, tuple[str, ColumnType]], tail: str, key: str
    ) -> dict[str, dict[str, Any]]:
        """engine → case → its values, all cases of an engine in one query; an error instead where a case fails."""
        return {engine: self._columns(engine, cases, tail, key) for engine in self.sessions}

    def _columns(self, engine, cases, tail, key) -> dict[str, Any]:
        names = {name: f"c{number}" for number, name in enumerate(cases)}
        try:
            return self._together(engine, cases, names, tail, key)
        except Exception:  # one of them is at fault: ask for each alone
            found: dict[str, Any] = {}
            for name in cases:
                try:
                    found |= self._together(engine, {name: cases[name]}, names, tail, key)
                except Exception as error:
                    found[name] = error
            return found

    def _together(self, engine, cases, names, tail, key) -> dict[str, Any]:
        listed = ", ".join(f"{sql} AS {names[name]}" for name, (sql, _) in cases.items())
        schema = Schema((KEY, *(Column(names[name], kind) for name, (_, kind) in cases.items())))
        rows = self.rows(engine, f"SELECT {key} AS id, {listed} {tail}", schema)
        rows.sort(key=lambda row: repr(row[0]))
        return {name: [(row[0], row[at]) for row in rows] for at, name in enumerate(cases, start=1)}


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    if column.type is ColumnType.UUID:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array(values)


def same(left: Any, right: Any, *, close: bool = False) -> bool:
    """Equal to the last digit; `close` allows 1e-12 where engines add doubles up in different orders."""
    if close and isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-12)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(
            same(a, b, close=close) for a, b in zip(left, right, strict=True)
        )
    return repr(left) == repr(right)
