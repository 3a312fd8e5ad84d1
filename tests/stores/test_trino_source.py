"""Reading from a Trino: statements, pages, types, parts, and what goes wrong. The server is a double of the protocol."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trino_protocol import Fault, TrinoDouble

from gamelake.clock import SystemClock
from gamelake.errors import CancelledRunError, LayoutError, OperatorError, StoreError
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.steps import QueryInput, SourceInput, Split, TableInput
from gamelake.stores.remote import BreakerState, Remote
from gamelake.stores.trino_link import ping
from gamelake.stores.trino_source import TrinoSource

VARIABLE = "GAMELAKE_CONNECTION_GAME_PASSWORD"


@pytest.fixture(scope="module")
def server():
    with TrinoDouble(page_rows=100).serving() as double:
        yield double


@pytest.fixture
def double(server):
    server.clear()
    server.tables.execute("CREATE SCHEMA l2m")
    return server


def ignore(rows):
    """Nobody asks how far it is."""


def remote(folder, **options) -> Remote:
    return Remote("game", folder / "health.json", clock=SystemClock(), pause=0.01, **options)


def source(double, folder, **options) -> TrinoSource:
    return TrinoSource(double.connection(), remote(folder, **options))


def schema(**columns) -> Schema:
    return Schema(tuple(Column(name, ColumnType(kind)) for name, kind in columns.items()))


def table(called="l2m.big", /, split=None, **columns) -> SourceInput:
    return SourceInput(TableInput("game", called), schema(**columns), split)


def query(sql, **columns) -> SourceInput:
    return SourceInput(QueryInput("game", sql), schema(**columns))


def rows_of(paths) -> list[dict]:
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def big(double, rows=950):
    double.tables.execute(
        f"CREATE TABLE l2m.big AS SELECT n AS id, 'n' || n % 10 AS name FROM range({rows}) t(n)"
    )


def test_a_table_comes_page_by_page(double, tmp_path):
    big(double)
    seen = []

    rows = rows_of(source(double, tmp_path).read(table(id="bigint", name="text"), tmp_path, seen.append))

    assert sorted(row["id"] for row in rows) == list(range(950))
    types, read = double.statements
    assert types.sql == 'SELECT "id", "name" FROM "l2m"."big"\nLIMIT 0'
    assert read.sql == 'SELECT CAST("id" AS bigint), CAST("name" AS varchar) FROM "l2m"."big"'
    assert (read.pages, read.cancelled, sum(seen)) == (10, False, 950)
    assert read.headers["X-Trino-User"] == "etl"
    assert read.headers["X-Trino-Time-Zone"] == "UTC"


KINDS = """CREATE TABLE l2m.kinds AS SELECT * FROM (VALUES
 (1::bigint, 7::smallint, 12345678.1250::decimal(18,4), 42::decimal(20,0), 0.1::double, 'NaN'::double, true,
  DATE '2026-02-16', TIMESTAMPTZ '2026-02-16 12:00:00.000001+02', TIMESTAMP '2026-02-16 12:00:00',
  '9a7b2d52-0000-4000-8000-000000000001'::uuid, '\\x00\\xFF'::blob, ['a', NULL, 'b"c'], '{"a": [1]}'::json,
  '2026-02-17', E'two\\nlines, "quoted" ỗ', TIME '12:30:00'),
 (2, NULL, NULL, NULL, '-inf'::double, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL))
 t(id, whole, money, count, ratio, odd, ok, born, seen_at, local, who, raw, tags, doc, ds, note, clock)"""


def test_values_arrive_as_the_declared_types(double, tmp_path):
    double.tables.execute(KINDS)
    wanted = table(
        "l2m.kinds", id="bigint", whole="int", money="double", count="bigint", ratio="double", odd="double",
        ok="bool", born="date", seen_at="timestamp", local="timestamp", who="uuid", raw="blob", tags="text",
        doc="text", ds="date", note="text", clock="text",
    )  # fmt: skip

    first, second = rows_of(source(double, tmp_path).read(wanted, tmp_path, ignore))

    assert json.loads(first.pop("tags")) == ["a", None, 'b"c']
    assert json.loads(first.pop("doc")) == {"a": [1]}
    assert str(first.pop("odd")) == "nan"
    assert first == {
        "id": 1,
        "whole": 7,
        "money": 12345678.125,
        "count": 42,
        "ratio": 0.1,
        "ok": True,
        "born": date(2026, 2, 16),
        "seen_at": datetime(2026, 2, 16, 10, 0, 0, 1, UTC),
        "local": datetime(2026, 2, 16, 12, tzinfo=UTC),
        "who": str(UUID("9a7b2d52-0000-4000-8000-000000000001")),
        "raw": b"\x00\xff",
        "ds": date(2026, 2, 17),
        "note": 'two\nlines, "quoted" ỗ',
        "clock": "12:30:00",
    }
    assert {name: value for name, value in second.items() if value is not None} == {
        "id": 2,
        "ratio": float("-inf"),
        "note": "",
    }


def test_money_keeps_its_digits(double, tmp_path):
    double.tables.execute(
        "CREATE TABLE l2m.big AS SELECT 12345678901234.5678::decimal(18,4) AS a, 7 AS b, a AS c"
    )
    wanted = table(a="decimal(18,4)", b="decimal(5,2)", c="text")

    (row,) = rows_of(source(double, tmp_path).read(wanted, tmp_path, ignore))

    assert row == {"a": Decimal("12345678901234.5678"), "b": Decimal("7.00"), "c": "12345678901234.5678"}


@pytest.mark.parametrize(
    ("there", "declared", "words", "hint"),
    [
        (
            "BIT",
            "text",
            "`x` is HyperLogLog in Trino, which cannot be read as text",
            "leave it out, or convert it",
        ),
        (
            "VARCHAR[]",
            "bigint",
            "`x` is array(varchar) in Trino, which cannot be read as bigint",
            "declare it as text",
        ),
        ("TIMESTAMPTZ", "date", "cannot be read as date", "which day it is depends on the zone"),
        (
            "DECIMAL(18,4)",
            "bigint",
            "`x` is decimal(18,4) in Trino",
            "declare it as a decimal, double or text",
        ),
        ("DOUBLE", "int", "cannot be read as int", "declare it as text or double"),
    ],
)
def test_a_type_that_cannot_be_read_is_told_before_any_row_is(double, tmp_path, there, declared, words, hint):
    double.tables.execute(f"CREATE TABLE l2m.big (x {there})")

    with pytest.raises(LayoutError) as caught:
        source(double, tmp_path).read(table(x=declared), tmp_path, ignore)

    assert words in caught.value.problem
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert double.reads() == []


def test_a_query_is_pushed_down_as_it_stands(double, tmp_path):
    big(double)
    wanted = query("SELECT name, count(*) AS n -- each\nFROM l2m.big GROUP BY name;", name="text", n="int")

    rows = rows_of(source(double, tmp_path).read(wanted, tmp_path, ignore))

    assert min((row["name"], row["n"]) for row in rows) == ("n0", 95)
    assert (
        "FROM (\nSELECT name, count(*) AS n -- each\nFROM l2m.big GROUP BY name\n) AS q"
        in double.reads()[0].sql
    )


@pytest.mark.parametrize("column", ["id", "name"])
@pytest.mark.parametrize("parts", [2, 7])
def test_parts_are_the_whole(double, tmp_path, column, parts):
    double.tables.execute(
        "CREATE TABLE l2m.big AS SELECT nullif(n, 5) AS id, nullif('n' || n % 10, 'n7') AS name FROM range(-99, 400) t(n)"
    )

    paths = source(double, tmp_path).read(
        table(split=Split(column, parts), id="bigint", name="text"), tmp_path, ignore
    )

    expected = double.tables.execute("SELECT id, name FROM l2m.big ORDER BY ALL").fetchall()
    found = [(row["id"], row["name"]) for row in rows_of(paths)]
    assert (len(paths), sorted(found, key=str)) == (parts, sorted(expected, key=str))
    assert len(double.reads()) == parts


def test_parts_that_are_not_the_whole_are_refused(double, tmp_path):
    big(double)

    def grows(statement):
        if statement.reads:
            double.tables.execute("INSERT INTO l2m.big VALUES (1, 'late')")

    double.before = grows
    wanted = table(split=Split("id", 3), id="bigint")

    with pytest.raises(
        StoreError, match=r"the 3 parts of `l2m.big` have 95\d rows, the whole has 95\d"
    ) as caught:
        source(double, tmp_path, tries=2).read(wanted, tmp_path, ignore)

    assert "was it written to meanwhile?" in str(caught.value)


def test_a_part_that_fails_is_read_again_alone(double, tmp_path):
    big(double)
    double.faults.append(Fault("REMOTE_TASK_ERROR", about='"id" >= 317 AND "id" < 634', page=2))

    paths = source(double, tmp_path).read(table(split=Split("id", 3), id="bigint"), tmp_path, ignore)

    assert sorted(row["id"] for row in rows_of(paths)) == list(range(950))
    assert len(double.reads()) == 4


@pytest.mark.parametrize(
    "kind", ["drop", "404", "HIVE_CANNOT_OPEN_SPLIT", "CLUSTER_OUT_OF_MEMORY", "garbage"]
)
def test_a_query_lost_between_two_pages_is_run_again(double, tmp_path, kind):
    big(double)

    double.faults.append(Fault(kind, about="CAST", page=4))

    rows = rows_of(source(double, tmp_path).read(table(id="bigint"), tmp_path, ignore))

    assert sorted(row["id"] for row in rows) == list(range(950))
    assert len(double.reads()) == 2


def test_a_page_that_is_not_ready_is_asked_for_again(double, tmp_path):
    big(double)
    double.faults += [Fault("503", about="CAST", page=3, times=2), Fault("502", page=-1)]

    rows = rows_of(source(double, tmp_path).read(table(id="bigint"), tmp_path, ignore))

    assert len(rows) == 950
    assert len(double.reads()) == 1


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("PERMISSION_DENIED", OperatorError, "Trino refuses: so the test wants it"),
        ("ADMINISTRATIVELY_KILLED", OperatorError, "Trino stopped the query 20261122_"),
        ("EXCEEDED_TIME_LIMIT", OperatorError, "the query is too large for Trino: EXCEEDED_TIME_LIMIT"),
        ("INVALID_CAST_ARGUMENT", LayoutError, "a value does not fit: so the test wants it"),
    ],
)
def test_what_others_must_mend_is_not_tried_again(double, tmp_path, kind, error, words):
    big(double)
    double.faults.append(Fault(kind, about="CAST", page=2))
    reading = source(double, tmp_path)

    with pytest.raises(error, match=words) as caught:
        reading.read(table(id="bigint"), tmp_path, ignore)

    assert type(caught.value) is error
    assert caught.value.hint
    assert len(double.reads()) == 1


@pytest.mark.parametrize(
    ("wanted", "words", "line"),
    [
        (table("l2m.bgi", id="bigint"), "Table 'hive.bgi' does not exist", 1),
        (table(idd="bigint"), "Column 'idd' cannot be resolved", 1),
        (
            query("SELECT id\nFROM l2m.big\nWHERE whre = 1", id="bigint"),
            "Column 'whre' cannot be resolved",
            4,
        ),
        (query("SELECT id\nFROM l2m.big\nWHERE (", id="bigint"), "mismatched input", None),
    ],
)
def test_a_mistake_in_the_sql_names_its_place(double, tmp_path, wanted, words, line):
    big(double)

    with pytest.raises(LayoutError, match="Trino cannot run the SQL") as caught:
        source(double, tmp_path).read(wanted, tmp_path, ignore)

    assert words in caught.value.problem
    assert caught.value.at is not None
    assert line in {caught.value.at.line, None}


def test_a_run_that_is_stopped_cancels_its_query(double, tmp_path):
    big(double, 30_000)

    def stop(rows):
        raise CancelledRunError("stopped")

    with pytest.raises(CancelledRunError):
        source(double, tmp_path).read(table(id="bigint"), tmp_path, stop)

    (read,) = double.reads()
    assert read.cancelled
    assert read.pages < 300


def test_a_server_that_stays_away_opens_the_breaker(double, tmp_path):
    big(double)
    double.faults.append(Fault("REMOTE_TASK_ERROR", times=99))
    reading = source(double, tmp_path, limit=3)

    with pytest.raises(StoreError, match="REMOTE_TASK_ERROR"):
        reading.read(table(id="bigint"), tmp_path, ignore)

    asked = len(double.statements)
    with pytest.raises(StoreError, match="is left alone for now"):
        reading.read(table(id="bigint"), tmp_path, ignore)
    assert remote(tmp_path, limit=3).state is BreakerState.OPEN
    assert len(double.statements) == asked == 3


# who we are, and who they are


@pytest.fixture
def guarded(tmp_path):
    double = TrinoDouble(password="hunter2", token="abc.def")
    double.certificate = double.with_tls(tmp_path)
    with double.serving():
        yield double


def test_a_certificate_nobody_knows_is_refused_and_a_file_may_vouch_for_it(guarded, monkeypatch):
    monkeypatch.setenv(VARIABLE, "hunter2")

    with pytest.raises(OperatorError, match=r"the certificate of Trino at .* cannot be verified") as caught:
        ping(guarded.connection())

    assert "`ca_file` names the file" in str(caught.value)
    assert guarded.statements == []
    assert ping(guarded.connection(ca_file=str(guarded.certificate))) == "480-double"


def test_passwords_and_tokens_let_in_and_are_never_told(guarded, monkeypatch):
    known = guarded.connection(ca_file=str(guarded.certificate))
    monkeypatch.setenv(VARIABLE, "hunter3")
    with pytest.raises(OperatorError, match=r"does not let us in \(HTTP 401\)") as caught:
        ping(known)
    assert "hunter3" not in str(caught.value)
    assert "a page of a proxy" not in str(caught.value)

    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv(known.token_variable, "abc.def")
    assert ping(known) == "480-double"

    monkeypatch.setenv(VARIABLE, "hunter2")
    with pytest.raises(OperatorError, match="both `GAMELAKE_CONNECTION_GAME_PASSWORD` and"):
        ping(known)


def test_a_password_never_goes_without_tls(double, monkeypatch):
    monkeypatch.setenv(VARIABLE, "hunter2")

    with pytest.raises(OperatorError, match=f"`{VARIABLE}` is set, and without TLS everybody"):
        ping(double.connection())

    assert double.statements == []


def test_something_else_on_the_port_is_told(double, tmp_path):
    double.faults.append(Fault("garbage", page=-1, times=9))

    with pytest.raises(StoreError, match="answers something that is not of Trino's protocol"):
        ping(double.connection())


@settings(max_examples=12, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
            st.one_of(st.none(), st.floats()),
            st.one_of(st.none(), st.datetimes().map(lambda moment: moment.replace(fold=0))),
        ),
        max_size=20,
    )
)
def test_values_are_what_they_were(server, tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("drawn")
    server.clear()
    server.tables.execute("CREATE SCHEMA l2m")
    server.tables.execute("CREATE OR REPLACE TABLE l2m.drawn (a bigint, b varchar, c double, d timestamp)")
    for row in rows:
        server.tables.execute("INSERT INTO l2m.drawn VALUES (?, ?, ?, ?)", row)
    wanted = table("l2m.drawn", a="bigint", b="text", c="double", d="timestamp")

    found = rows_of(source(server, folder).read(wanted, folder, ignore))

    bare = [
        tuple(v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in row.values()) for row in found
    ]
    assert repr(bare) == repr(rows)  # NaN is not equal to itself, and written the same
