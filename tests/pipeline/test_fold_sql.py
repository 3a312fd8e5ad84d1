"""The fold's SQL against a naive twin, for any deltas, folded at once or one after the other."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.model.names import DatasetName
from gamelake.model.steps import FoldStep, Mode
from gamelake.pipeline.fold import BASE, DELTA, fold_sql

COLUMNS = ("day", "k", "a", "b")
VALUE = st.none() | st.sampled_from([0, 1])
DELTAS = st.lists(st.dictionaries(st.integers(0, 3), st.tuples(VALUE, VALUE), max_size=4), max_size=7)
FIRST = date(2026, 1, 1)


def step(mode: Mode) -> FoldStep:
    return FoldStep("f", {DELTA: DatasetName.parse("toy.gold.f__delta")}, (), mode, ("k",), ("day",))


def rows_of(deltas, start: int = 0) -> list[tuple]:
    return [
        (FIRST + timedelta(days=start + number), key, a, b)
        for number, delta in enumerate(deltas)
        for key, (a, b) in delta.items()
    ]


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


def fold(connection, mode: Mode, base: list[tuple], delta: list[tuple]) -> list[tuple]:
    validity = "k INT, a INT, b INT, valid_from DATE, valid_to DATE, is_current BOOL"
    plain = "day DATE, k INT, a INT, b INT"
    shapes = ((BASE, validity if mode is Mode.SCD2 else plain, base), (DELTA, plain, delta))
    for table, columns, rows in shapes:
        connection.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
        if rows:
            marks = f"({', '.join('?' * len(rows[0]))})"
            values = [value for row in rows for value in row]
            connection.execute(f"INSERT INTO {table} VALUES {', '.join([marks] * len(rows))}", values)
    return sorted(connection.execute(fold_sql(step(mode), COLUMNS)).fetchall(), key=repr)


def twin(mode: Mode, rows: list[tuple]) -> list[tuple]:
    found: dict[int, list[tuple]] = {}
    for row in rows:
        said = found.setdefault(row[1], [])
        if mode is Mode.APPEND_UNIQUE:
            found[row[1]] = said or [row]
        elif mode is Mode.MERGE:
            found[row[1]] = [row]
        elif not said or said[-1][2:] != row[2:]:
            said.append(row)
    if mode is not Mode.SCD2:
        return sorted((row for said in found.values() for row in said), key=repr)
    made = []
    for said in found.values():
        ends = [row[0] for row in said[1:]] + [None]
        made += [(*row[1:], row[0], end, end is None) for row, end in zip(said, ends, strict=True)]
    return sorted(made, key=repr)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode.folds])
@settings(max_examples=40, deadline=None)
@given(deltas=DELTAS, cut=st.integers(0, 7), again=st.integers(0, 7))
def test_folding_in_parts_is_folding_at_once_is_the_twin(connection, mode, deltas, cut, again) -> None:
    first, second = sorted((min(cut, len(deltas)), min(again, len(deltas))))
    table: list[tuple] = []
    for start, end in ((0, first), (first, second), (second, len(deltas))):
        table = fold(connection, mode, table, rows_of(deltas[start:end], start))

    assert table == fold(connection, mode, [], rows_of(deltas)) == twin(mode, rows_of(deltas))
