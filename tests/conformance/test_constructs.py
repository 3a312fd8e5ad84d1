"""The same SQL on DuckDB and Spark gives the same values, construct by construct."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from both_engines import same
from constructs import AGGREGATES, CLOSE, EXPRESSIONS, NAMES_SCHEMA, QUERIES, REFUSED, ROWS_SCHEMA, WINDOWS, K

from gamelake.errors import LayoutError
from gamelake.layouts.macros import (
    business_day,
    day_plus,
    days_between,
    latest,
    money_div,
    money_round,
    money_times,
    month_text,
    ratio,
    whole_part,
)
from gamelake.layouts.transpile import to_spark
from gamelake.model.schema import Column, ColumnType, Schema

GAPS: dict[str, str] = {}


def cases(table):
    return [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=GAPS[name])) if name in GAPS else name
        for name in table
    ]


@pytest.fixture(scope="module")
def expressions(both):
    return both.columns(EXPRESSIONS, "FROM v", "id")


MACROS = {
    "business_day of a zone": (business_day("ts", "Asia/Ho_Chi_Minh"), ColumnType.DATE),
    "business_day of an offset": (business_day("ts", "-03:30"), ColumnType.DATE),
    "ratio": (ratio("n", "i"), ColumnType.DOUBLE),
    "whole_part": (whole_part("n", "i"), ColumnType.BIGINT),
    "days_between": (days_between("day", "CAST(ts AS DATE)"), ColumnType.BIGINT),
    "day_plus": (day_plus("day", -29), ColumnType.DATE),
    "month_text": (month_text("day"), ColumnType.TEXT),
}


@pytest.fixture(scope="module")
def macros(both):
    return both.columns(MACROS, "FROM v", "id")


@pytest.mark.parametrize("name", MACROS)
def test_a_macro(macros, name) -> None:
    assert_same(macros, name)


MONEY = ColumnType("decimal(18,4)")


def test_money_is_the_same_to_the_last_digit(both) -> None:
    draw = random.Random(7)
    amounts = [Decimal(draw.randrange(-(10 ** draw.randrange(1, 14)), 10**13)) / 10**4 for _ in range(200)]
    rates = [Decimal(draw.randrange(1, 10 ** draw.randrange(5, 12))) / 10**6 for _ in amounts]
    rows = [
        (n, a, None if n == 3 else Decimal(0) if n == 4 else r)
        for n, (a, r) in enumerate(zip(amounts, rates, strict=True))
    ]
    columns = (
        Column("id", ColumnType.BIGINT),
        Column("amount", MONEY),
        Column("rate", ColumnType("decimal(18,6)")),
    )
    both.view("payments", Schema(columns), rows)
    cases = {
        "sum": ("sum(amount) OVER (PARTITION BY amount > 0)", ColumnType("decimal(38,4)")),
        "plain": ("amount - rate + 2 * amount", ColumnType("decimal(38,6)")),
        "round": (money_round("amount", 2), ColumnType("decimal(18,2)")),
        "times": (money_times("amount", "rate"), ColumnType("decimal(38,4)")),
        "div": (money_div("amount", "CASE WHEN abs(rate) < 1 THEN rate + 1 ELSE rate END"), MONEY),
        "case": (
            "CASE WHEN amount > 100 THEN coalesce(rate, 0) ELSE amount END",
            ColumnType("decimal(38,6)"),
        ),
    }
    found = both.columns(cases, "FROM payments", "id")

    for name in cases:
        assert_same(found, name)
    assert dict(found["duckdb"]["div"])[3] is None


@pytest.fixture(scope="module")
def aggregates(both):
    return both.columns(
        {**AGGREGATES, "latest": (latest("s", "id"), ColumnType.TEXT)}, "FROM v GROUP BY g", "min(id)"
    )


@pytest.fixture(scope="module")
def windows(both):
    return both.columns(WINDOWS, "FROM v", "id")


@pytest.mark.parametrize("name", cases(EXPRESSIONS))
def test_an_expression(expressions, name) -> None:
    assert_same(expressions, name)


@pytest.mark.parametrize("name", cases([*AGGREGATES, "latest"]))
def test_an_aggregate(aggregates, name) -> None:
    assert_same(aggregates, name)


@pytest.mark.parametrize("name", cases(WINDOWS))
def test_a_window(windows, name) -> None:
    assert_same(windows, name)


@pytest.mark.parametrize("name", cases(QUERIES))
def test_a_query(both, name) -> None:
    sql, columns = QUERIES[name]
    schema = Schema(columns)

    assert both.rows("spark", sql, schema) == both.rows("duckdb", sql, schema)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_would_differ_is_refused_with_line_and_hint(sql) -> None:
    with pytest.raises(LayoutError) as refused:
        to_spark(f"-- a comment\n{sql}", {"v": ROWS_SCHEMA, "names": NAMES_SCHEMA}, Schema((K,)))

    errors = [refused.value, *refused.value.others]
    assert any(REFUSED[sql] in error.problem for error in errors), [error.problem for error in errors]
    assert all(error.hint and error.at and error.at.line == 2 for error in errors)


def assert_same(found, name) -> None:
    for engine, columns in found.items():
        if isinstance(columns[name], Exception):
            pytest.fail(f"{engine}: {columns[name]}")
    assert found["duckdb"][name], "no rows to compare"
    assert same(found["duckdb"][name], found["spark"][name], close=name in CLOSE), (
        f"duckdb {found['duckdb'][name]}\nspark  {found['spark'][name]}"
    )
