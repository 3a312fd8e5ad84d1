"""What every engine promises: `gamelake.engines.base`, sentence by sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from gamelake.engines.duckdb import DuckDBEngine
from gamelake.engines.spark import SparkEngine
from gamelake.errors import CancelledRunError, LayoutError
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.pipeline.events import Cancel

DECIMALS = tuple(ColumnType(f"decimal({size})") for size in ("4,0", "9,2", "18,4", "38,10"))
ALL_TYPES = Schema(tuple(Column(kind.value, kind) for kind in (*ColumnType, *DECIMALS)))
PAIR = Schema((Column("k", ColumnType.TEXT), Column("n", ColumnType.BIGINT)))
ROW = """SELECT 'a' AS "text", 1 AS "int", 2 AS "bigint", 0.5 AS "double", true AS "bool",
    DATE '2026-02-16' AS "date", TIMESTAMPTZ '2026-02-16 20:00:00+02' AS "timestamp",
    '00000000-0000-0000-0000-000000000007' AS "uuid", 'x'::BLOB AS "blob", 1 AS "decimal(4,0)", 1.505 AS "decimal(9,2)",
    CAST(-12345678901234.5678 AS DECIMAL(18,4)) AS "decimal(18,4)",
    CAST(1234567890123456789012345678.0123456789 AS DECIMAL(38,10)) AS "decimal(38,10)" """


@pytest.fixture(params=["duckdb", "spark"])
def engine(request, tmp_path: Path):
    driver = DuckDBEngine(tmp_path / "spill", memory="1GB")
    if request.param == "spark":
        yield SparkEngine(driver, request.getfixturevalue("spark_options"))
    else:
        yield driver
    driver.close()


@pytest.fixture
def session(engine):
    with engine.session() as opened:
        yield opened


def test_every_type_is_written_as_declared_and_read_back(session, tmp_path) -> None:
    (written,) = session.write(ROW, ALL_TYPES, tmp_path / "a.parquet")
    session.view("again", ALL_TYPES, [written.file.path])

    assert session.rows("SELECT * FROM again") == [
        {
            "text": "a",
            "int": 1,
            "bigint": 2,
            "double": 0.5,
            "bool": True,
            "date": date(2026, 2, 16),
            "timestamp": datetime(2026, 2, 16, 18, tzinfo=UTC),
            "uuid": str(UUID(int=7)),
            "blob": b"x",
            "decimal(4,0)": Decimal(1),
            "decimal(9,2)": Decimal("1.51"),
            "decimal(18,4)": Decimal("-12345678901234.5678"),
            "decimal(38,10)": Decimal("1234567890123456789012345678.0123456789"),
        }
    ]


def test_rows_and_facts_come_from_the_writer(session, tmp_path) -> None:
    numbers = ", ".join(f"({n})" for n in range(1000))  # table functions are not portable
    sql = f"SELECT 'x' AS k, nullif(n, 3) AS n FROM (VALUES {numbers}) AS t(n)"
    written = session.write(sql, PAIR, tmp_path / "a.parquet")

    assert sum(part.file.rows for part in written) == 1000
    assert sum(part.facts["n"].nulls for part in written) == 1
    for part in written:
        assert part.file.rows == pq.read_metadata(part.file.path).num_rows
        assert part.file.bytes == Path(part.file.path).stat().st_size
        facts = part.facts["k"]
        assert (facts.least, facts.greatest, facts.nulls) == ("x", "x", 0)


def test_columns_are_bound_by_name(session, tmp_path) -> None:
    (written,) = session.write("SELECT 7 AS n, 'x' AS k, 1 AS more", PAIR, tmp_path / "a.parquet")

    assert pq.read_table(written.file.path).to_pylist() == [{"k": "x", "n": 7}]


def test_no_rows_leave_no_file(session, tmp_path) -> None:
    assert session.write("SELECT 'x' AS k, 1 AS n WHERE false", PAIR, tmp_path / "a.parquet") == []
    assert not (tmp_path / "a.parquet").exists()


def test_a_view_without_files_is_empty_and_typed(session) -> None:
    session.view("nothing", ALL_TYPES, [])

    assert session.rows("SELECT * FROM nothing") == []
    assert session.columns("SELECT * FROM nothing") == list(ALL_TYPES.names)


def test_a_view_can_be_replaced(session, tmp_path) -> None:
    session.view("v", PAIR, [])
    (written,) = session.write("SELECT 'x' AS k, 1 AS n", PAIR, tmp_path / "a.parquet")
    session.view("v", PAIR, [written.file.path])

    assert session.one_row("SELECT count(*) AS n FROM v") == {"n": 1}


def test_views_are_seen_in_their_own_session_only(engine, session) -> None:
    session.view("mine", PAIR, [])

    with engine.session() as other, pytest.raises(LayoutError, match="mine"):
        other.columns("SELECT * FROM mine")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nope AS k, 1 AS n", "nope"),
        ("SELEC 1", "syntax error"),
        ("SELECT 'x' AS k, 'many' AS n", "many"),
        ("SELECT 'x' AS k, 9223372036854775808 AS n", "9223372036854775808"),
        ("SELECT 'x' AS k", '"n"'),
    ],
)
def test_a_mistake_is_the_authors_and_named(session, tmp_path, sql, said) -> None:
    with pytest.raises(LayoutError, match=said):
        session.write(sql, PAIR, tmp_path / "a.parquet")


def test_a_comment_at_the_end_does_no_harm(session, tmp_path) -> None:
    assert session.write("SELECT 'x' AS k, 1 AS n -- done", PAIR, tmp_path / "a.parquet") != []


def test_a_cancel_stops_what_runs(session) -> None:
    cancel = Cancel()
    stopped = []

    def work() -> None:
        try:
            session.rows("SELECT sum(a.range * b.range) AS s FROM range(1000000) a, range(1000000) b")
        except CancelledRunError as err:
            stopped.append(err)

    with cancel.guarding(session):
        thread = Thread(target=work)
        thread.start()
        while thread.is_alive():
            cancel.ask()
            thread.join(0.05)

    assert len(stopped) == 1


def test_a_cancel_stops_what_is_written(session, tmp_path) -> None:
    numbers = ", ".join(f"({n})" for n in range(1000))
    sql = f"""WITH t AS (SELECT n FROM (VALUES {numbers}) AS v(n))
        SELECT 'x' AS k, sum(a.n + b.n * c.n + d.n) AS n FROM t AS a, t AS b, t AS c, t AS d"""
    cancel = Cancel()
    stopped = []

    def work() -> None:
        try:
            session.write(sql, PAIR, tmp_path / "a.parquet")
        except CancelledRunError as err:
            stopped.append(err)

    with cancel.guarding(session):
        thread = Thread(target=work)
        thread.start()
        while thread.is_alive():
            cancel.ask()
            thread.join(0.2)

    assert len(stopped) == 1
    assert list(tmp_path.rglob("*.spark")) == []


def test_spill_of_a_dead_process_is_removed(tmp_path) -> None:
    left = tmp_path / "spill" / "duckdb-999999999"
    left.mkdir(parents=True)

    DuckDBEngine(tmp_path / "spill").close()

    assert list((tmp_path / "spill").iterdir()) == []


@pytest.mark.parametrize("limit", [0, 10_000])
def test_repeated_hashes_are_counted_in_memory_and_beyond(session, monkeypatch, limit) -> None:
    monkeypatch.setattr("gamelake.engines.duckdb._SORTED_IN_MEMORY", limit)

    assert session.repeats("SELECT hash(range % 900) FROM range(1000)", 1000) == 100
    assert session.repeats("SELECT hash(range) FROM range(1000)", 1000) == 0
    assert session.repeats("SELECT hash(range) FROM range(0)", 0) == 0
