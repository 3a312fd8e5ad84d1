"""Macros: values on DuckDB, golden text on the engines that do not run here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from gamelake.errors import LayoutError
from gamelake.layouts.macros import ENGINES, MACROS, business_day, money_div, money_round, money_times
from gamelake.layouts.template import render_text, undefined_variables

CONNECTION = duckdb.connect()
CONNECTION.execute("SET TimeZone = 'UTC'")
GOLDEN = Path(__file__).parent / "macros.txt"
CALLS = {
    "business_day": ["occurred", "Asia/Ho_Chi_Minh"],
    "latest": ["level", "occurred"],
    "distinct_about": ["user_id"],
    "ratio": ["wins", "games"],
    "money_round": ["amount", 2],
    "money_times": ["amount", "rate", 4],
    "money_div": ["amount", "rate", 4],
    "whole_part": ["seconds", "60"],
    "days_between": ["first_day", "last_day"],
    "day_plus": ["report_date", -29],
    "month_text": ["report_date"],
}


def answer(sql: str) -> object:
    [(found,)] = CONNECTION.execute(f"SELECT {sql}").fetchall()
    return found


def golden() -> str:
    lines = []
    for name, arguments in CALLS.items():
        lines += [f"{name} {engine}: {MACROS[name](*arguments, engine=engine)}" for engine in ENGINES]
    lines += [f"offset {engine}: {business_day('occurred', '+07:00', engine)}" for engine in ENGINES]
    return "\n".join(lines) + "\n"


def test_each_engine_gets_its_own_text() -> None:
    assert golden() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("line", golden().splitlines())
def test_the_text_parses_in_its_dialect(line) -> None:
    engine, _, sql = line.partition(" ")[2].partition(": ")

    assert sqlglot.parse_one(f"SELECT {sql} AS x FROM t", read=engine)


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-02-15 16:59:59+00", "+07:00", "2026-02-15"),
        ("2026-02-15 17:00:00+00", "+07:00", "2026-02-16"),
        ("2026-02-15 17:00:00+00", "Asia/Ho_Chi_Minh", "2026-02-16"),
        ("2026-03-29 22:30:00+00", "Europe/Berlin", "2026-03-30"),  # summer: +2
        ("2026-03-28 22:30:00+00", "Europe/Berlin", "2026-03-28"),  # winter: +1
        ("2026-10-24 22:00:00+00", "Europe/Berlin", "2026-10-25"),
        ("2026-10-25 22:59:59+00", "Europe/Berlin", "2026-10-25"),
        ("2026-01-01 04:59:59+00", "America/New_York", "2025-12-31"),
        ("2026-01-01 00:00:00+00", "UTC", "2026-01-01"),
        ("2026-01-01 02:29:59+00", "-02:30", "2025-12-31"),
    ],
)
def test_a_business_day_is_the_day_of_its_zone(instant, zone, day) -> None:
    assert answer(business_day(f"TIMESTAMPTZ '{instant}'", zone)) == date.fromisoformat(day)


@given(
    st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2037-01-01")),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Ho_Chi_Minh", "+07:00", "-03:30", "UTC"]),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]),
)
def test_the_session_zone_does_not_matter(instant, zone, session) -> None:
    if zone[0] in "+-":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
        expected = instant.replace(tzinfo=UTC).astimezone(timezone(offset)).date()
    else:
        expected = instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    CONNECTION.execute(f"SET TimeZone = '{session}'")
    try:
        assert answer(business_day(f"TIMESTAMPTZ '{instant.isoformat()}+00'", zone)) == expected
    finally:
        CONNECTION.execute("SET TimeZone = 'UTC'")


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("business_day", ["CAST(NULL AS TIMESTAMPTZ)", "+07:00"], None),
        ("ratio", ["7", "2"], 3.5),
        ("ratio", ["7", "0"], None),
        ("ratio", ["NULL", "2"], None),
        ("money_round", ["-0.00005"], Decimal("-0.0001")),
        ("money_round", ["NULL::DECIMAL(18,4)"], None),
        (
            "money_times",
            ["999999999999.9999::DECIMAL(18,4)", "24999.5::DECIMAL(18,6)"],
            Decimal("24999499999999997.5001"),
        ),
        ("money_div", ["7", "0"], None),
        ("money_div", ["NULL", "2"], None),
        ("money_div", ["2::DECIMAL(18,4)", "3"], Decimal("0.6667")),
        ("money_div", ["-0.00005", "1"], Decimal("-0.0001")),
        ("whole_part", ["-7", "2"], -3),
        ("whole_part", ["7", "0"], None),
        ("days_between", ["DATE '2026-02-27'", "DATE '2026-03-01'"], 2),
        ("days_between", ["DATE '2026-03-01'", "DATE '2026-02-27'"], -2),
        ("days_between", ["NULL::DATE", "DATE '2026-02-27'"], None),
        ("day_plus", ["DATE '2026-03-01'", -1], date(2026, 2, 28)),
        ("day_plus", ["NULL::DATE", 1], None),
        ("month_text", ["DATE '2026-03-01'"], "2026-03"),
        ("month_text", ["NULL::DATE"], None),
    ],
)
def test_values_on_duckdb(name, arguments, expected) -> None:
    found = answer(MACROS[name](*arguments))

    assert found == expected
    assert type(found) is type(expected)


MONEY = st.decimals(min_value=-(10**9), max_value=10**9, places=6, allow_nan=False)


@given(MONEY, MONEY, st.integers(0, 4))
def test_money_is_exact_and_rounded_half_up_once(value, other, digits) -> None:
    with localcontext(Context(prec=76, rounding=ROUND_HALF_UP)):
        unit = Decimal(1).scaleb(-digits)
        rounded, product = value.quantize(unit), (value * other).quantize(unit)
        quotient = (value / other).quantize(unit) if other else None
    first, second = (f"CAST('{number}' AS DECIMAL(18, 6))" for number in (value, other))

    assert answer(money_round(first, digits)) == rounded
    if abs(product) < 10**18:
        assert answer(money_times(first, second, digits)) == product
    if quotient is None or abs(quotient) < Decimal(10) ** (14 - digits):
        assert answer(money_div(first, second, digits)) == quotient


@given(
    st.integers(-(10**14) + 1, 10**14 - 1),
    MONEY.filter(lambda divisor: abs(divisor) <= 10**3 and divisor),
    st.integers(-2, 2),
)
def test_a_quotient_beside_a_tie_falls_on_its_side(whole, divisor, beside) -> None:
    with localcontext(Context(prec=76, rounding=ROUND_HALF_UP)):
        value = divisor * (Decimal(whole) / 10**4 + Decimal(5) / 10**5) + Decimal(beside) / 10**10
        value = value.quantize(Decimal(10) ** -10)
        expected = (value / divisor).quantize(Decimal(10) ** -4)
    first, second = (f"CAST('{number}' AS DECIMAL(38, 10))" for number in (value, divisor))

    if abs(expected) < 10**10:
        assert answer(money_div(first, second)) == expected


def test_a_quotient_that_is_too_large_is_an_error_and_digits_are_few() -> None:
    with pytest.raises(duckdb.Error, match=r"Casting value|Could not cast"):
        answer(money_div("10000000000::DECIMAL(18, 4)", "1"))
    with pytest.raises(LayoutError, match="`11` is no number of digits"):
        render_text("SELECT {{ money_round('x', 11) }}", {})


def test_the_latest_value_skips_nulls() -> None:
    rows = "(VALUES (1, 10), (NULL, 30), (2, 20), (9, NULL)) AS t(v, o)"

    assert CONNECTION.execute(f"SELECT {MACROS['latest']('v', 'o')} FROM {rows}").fetchall() == [(2,)]
    assert CONNECTION.execute(f"SELECT {MACROS['distinct_about']('v')} FROM {rows}").fetchall() == [(3,)]


def test_a_layout_calls_macros_by_name() -> None:
    assert render_text("SELECT {{ business_day('ts', 'UTC') }}", {}) == (
        "SELECT CAST((ts) AT TIME ZONE 'UTC' AS DATE)"
    )
    assert "DATE_FORMAT" in render_text("SELECT {{ month_text('day') }}", {}, engine="spark")
    with pytest.raises(LayoutError, match="`mars!` is no time zone"):
        render_text("SELECT {{ business_day('ts', 'mars!') }}", {})
    with pytest.raises(LayoutError):
        render_text("SELECT {{ business_day('ts') }}", {})


def test_a_value_reaches_a_macro_only_through_a_filter() -> None:
    text = "SELECT {{ business_day(at, 'UTC') }},\n{{ day_plus(d | day, 1) }}, {{ latest(x ~ '', 'at') }}"

    found = [str(error) for error in undefined_variables(text, ["at", "d", "x"])]

    assert [message.partition(" is handed")[0] for message in found] == [":1: `at`", ":2: `x`"]


if __name__ == "__main__":
    GOLDEN.write_text(golden(), encoding="utf-8")
