"""Every kind of check, on rows that pass and on rows that fail."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gamelake.engines.base import Written
from gamelake.engines.duckdb import DuckDBEngine
from gamelake.model.checks import Check, CheckKind, Severity
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import OnEmpty, Output
from gamelake.pipeline.audit import Audit, audit
from gamelake.pipeline.evidence import Evidence

SCHEMA = Schema(
    (
        Column("day", ColumnType.DATE, nullable=False),
        Column("k", ColumnType.TEXT),
        Column("n", ColumnType.BIGINT),
    )
)
DAY = Slice.of(day="2026-02-16")


OTHER = Output(
    DatasetName.parse("toy.silver.y"),
    Schema(
        (
            Column("day", ColumnType.DATE, nullable=False),
            Column("name", ColumnType.TEXT),
            Column("amount", ColumnType.BIGINT),
            Column("weight", ColumnType.DOUBLE),
        )
    ),
    slice_columns=("day",),
)
NOW = datetime(2026, 2, 17, 12, tzinfo=UTC)


def judged(session, of: Output, part: Slice, written: list[Written], parts=None) -> Audit:
    outputs = {str(of.dataset): of, str(OTHER.dataset): OTHER}
    return audit(session, of, part, written, evidence=Evidence(NOW, outputs, parts or {}))


def output(*checks: Check, **more) -> Output:
    return Output(DatasetName.parse("toy.gold.x"), SCHEMA, slice_columns=("day",), checks=checks, **more)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    engine = DuckDBEngine(tmp_path_factory.mktemp("spill"), memory="500MB")
    with engine.session() as opened:
        yield opened
    engine.close()


@pytest.fixture
def stage(session, tmp_path: Path):
    def write(*rows: str, day: str = "2026-02-16") -> list[Written]:
        sql = f"SELECT DATE '{day}' AS day, k, n FROM (VALUES {', '.join(rows)}) AS t(k, n)"
        return session.write(sql, SCHEMA, tmp_path / "x.parquet")

    return write


CASES = [
    (Check("c", CheckKind.NOT_NULL, {"columns": ["k", "n"]}), ["('a', 1)", "(NULL, 2)", "('c', NULL)"], 2),
    (Check("c", CheckKind.UNIQUE, {"columns": ["k"]}), ["('a', 1)", "('a', 2)", "('b', 2)"], 1),
    (Check("c", CheckKind.UNIQUE, {"columns": ["k", "n"]}), ["('a', 1)", "('a', 2)"], 0),
    (Check("c", CheckKind.UNIQUE, {"columns": ["k"]}), ["(NULL, 1)", "(NULL, 2)"], 1),
    (Check("c", CheckKind.ACCEPTED_VALUES, {"column": "k", "values": ["a", "it's"]}), ["('x', 1)", "('it''s', 1)"], 1),
    (Check("c", CheckKind.ACCEPTED_VALUES, {"column": "n", "values": [1]}), ["('x', 1)", "('y', NULL)"], 0),
    (Check("c", CheckKind.RANGE, {"column": "n", "min": 0, "max": 5}), ["('x', -1)", "('y', 6)", "('z', 5)"], 2),
    (Check("c", CheckKind.RANGE, {"column": "n", "min": 0}), ["('x', 0)", "('y', NULL)"], 0),
    (Check("c", CheckKind.SQL, {"predicate": "n > 1 OR k = 'a'"}), ["('a', 1)", "('b', 1)", "('c', NULL)"], 2),
    (Check("c", CheckKind.SQL, {"predicate": "n = n -- always"}), ["('a', 1)"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("check", "rows", "violations"), CASES)
def test_a_check_counts_its_violations_and_shows_some(session, stage, check, rows, violations) -> None:
    found = judged(session, output(check), DAY, stage(*rows))

    result = next(r for r in found.results if r.name == "c")
    assert (result.value, result.passed, result.threshold) == (violations, violations == 0, "0")
    assert bool(result.sample) is (violations > 0)
    assert bool(found.blocking) is (violations > 0)


@pytest.mark.parametrize(
    ("spec", "passed", "threshold"),
    [
        ({"min": 2}, True, "at least 2"),
        ({"min": 3}, False, "at least 3"),
        ({"max": 1}, False, "at most 1"),
        ({"min": 1, "max": 2}, True, "1 to 2"),
    ],
)
def test_rows_are_counted(session, stage, spec, passed, threshold) -> None:
    found = judged(session, output(Check("c", CheckKind.ROW_COUNT, spec)), DAY, stage("('a', 1)", "('b', 2)"))

    result = next(r for r in found.results if r.name == "c")
    assert (result.value, result.passed, result.threshold) == (2, passed, threshold)


def test_a_warning_does_not_block(session, stage) -> None:
    check = Check("c", CheckKind.RANGE, {"column": "n", "max": 0}, Severity.WARN)

    found = judged(session, output(check), DAY, stage("('a', 1)"))

    assert not found.blocking
    assert not next(r for r in found.results if r.name == "c").passed


def test_the_grain_is_measured_only_where_the_sql_does_not_prove_it(session, stage) -> None:
    written = stage("('a', 1)", "('a', 2)")

    measured = judged(session, output(grain=("k",)), DAY, written)
    proven = judged(session, output(grain=("k",), grain_proven=True), DAY, written)

    assert [r.name for r in measured.blocking] == ["grain is unique"]
    assert measured.blocking[0].sample == ({"k": "a", "rows": 2},)
    assert not proven.blocking


def test_rows_of_another_slice_block(session, stage) -> None:
    found = judged(session, output(), DAY, stage("('a', 1)", day="2026-02-17"))

    assert [r.name for r in found.blocking] == ["rows belong to the slice"]


def test_what_footers_do_not_say_is_measured(session, stage) -> None:
    blind = [Written(part.file) for part in stage("('a', 1)")]

    found = judged(session, output(), DAY, blind)

    assert [(r.name, r.passed) for r in found.results] == [
        ("required columns are set", True),
        ("rows belong to the slice", True),
    ]


def test_the_content_hash_is_of_the_rows_and_not_of_their_order_or_files(session, stage, tmp_path) -> None:
    def hash_of(*rows: str) -> str:
        return judged(session, output(), DAY, stage(*rows)).content_hash

    assert hash_of("('a', 1)", "('b', 2)") == hash_of("('b', 2)", "('a', 1)")
    assert hash_of("('a', 1)", "('b', 2)") != hash_of("('a', 2)", "('b', 1)")
    assert hash_of("('a', 1)", "('a', 1)") != hash_of("('a', 1)")
    assert hash_of("('a', 1)", "('a', 1)") != hash_of("('b', 1)", "('b', 1)")
    assert hash_of("(NULL, 1)") != hash_of("('', 1)")


@pytest.mark.parametrize(("on_empty", "blocks"), [(OnEmpty.FAIL, True), (OnEmpty.CLEAR, False)])
def test_no_rows_are_judged_by_on_empty(session, on_empty, blocks) -> None:
    found = judged(session, output(on_empty=on_empty), DAY, [])

    assert (found.rows, bool(found.blocking)) == (0, blocks)
