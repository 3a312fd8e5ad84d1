"""Macros of the SQL that say the same on every engine: `{{ business_day('ts', zone) }}`.

Arguments are SQL text, except zones. Each engine has its own wording; the values are equal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENGINES = ("duckdb", "spark", "postgres", "trino")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*")


def business_day(ts: str, zone: str, engine: str = "duckdb") -> str:
    """Calendar day in a zone of a UTC instant (TIMESTAMPTZ); NULL stays NULL.

    `zone` is `UTC`, a name such as `Asia/Ho_Chi_Minh`, or an offset such as `+07:00`.

    >>> business_day("occurred", "+07:00")
    "CAST((occurred) AT TIME ZONE 'UTC' + INTERVAL (25200) SECOND AS DATE)"
    """
    if found := _OFFSET.fullmatch(zone):
        seconds = (int(found[2]) * 60 + int(found[3])) * 60 * (-1 if found[1] == "-" else 1)
        if abs(seconds) > 14 * 3600 or int(found[3]) > 59:
            raise ValueError(_no_zone(zone))
        return _SHIFTED[engine].format(ts=ts, seconds=seconds)
    if not _ZONE.fullmatch(zone):
        raise ValueError(_no_zone(zone))
    return _ZONED[engine].format(ts=ts, zone=zone)


def _no_zone(zone: str) -> str:
    return f"`{zone}` is no time zone, write `UTC`, `Asia/Ho_Chi_Minh` or `+07:00`"


# The session's zone is UTC on every engine we start; none of these reads it all the same.
_SHIFTED = {
    "duckdb": "CAST(({ts}) AT TIME ZONE 'UTC' + INTERVAL ({seconds}) SECOND AS DATE)",
    "spark": "CAST(FROM_UTC_TIMESTAMP(TO_UTC_TIMESTAMP({ts}, CURRENT_TIMEZONE()), 'UTC') + INTERVAL '{seconds}' SECOND AS DATE)",
    "postgres": "CAST(({ts}) AT TIME ZONE 'UTC' + INTERVAL '{seconds} seconds' AS DATE)",
    "trino": "CAST(CAST(({ts}) AT TIME ZONE 'UTC' AS TIMESTAMP) + INTERVAL '{seconds}' SECOND AS DATE)",
}
_ZONED = {
    "duckdb": "CAST(({ts}) AT TIME ZONE '{zone}' AS DATE)",
    "spark": "CAST(FROM_UTC_TIMESTAMP(TO_UTC_TIMESTAMP({ts}, CURRENT_TIMEZONE()), '{zone}') AS DATE)",
    "postgres": "CAST(({ts}) AT TIME ZONE '{zone}' AS DATE)",
    "trino": "CAST(({ts}) AT TIME ZONE '{zone}' AS DATE)",
}


def latest(value: str, order: str, engine: str = "duckdb") -> str:
    """Value of the row with the greatest `order`, as an aggregate; rows whose value or order is NULL do not count.

    >>> latest("level", "at", "postgres")
    '(ARRAY_AGG(level ORDER BY at DESC) FILTER (WHERE level IS NOT NULL AND at IS NOT NULL))[1]'
    """
    told = {"value": value, "order": order}
    return {
        "duckdb": "ARG_MAX({value}, {order})",
        "spark": "MAX_BY({value}, {order}) FILTER (WHERE {value} IS NOT NULL)",
        "trino": "MAX_BY({value}, {order}) FILTER (WHERE {value} IS NOT NULL)",
        "postgres": "(ARRAY_AGG({value} ORDER BY {order} DESC)"
        " FILTER (WHERE {value} IS NOT NULL AND {order} IS NOT NULL))[1]",
    }[engine].format(**told)


def distinct_about(value: str, engine: str = "duckdb") -> str:
    """About how many distinct values there are, NULL not counted; exact where the engine has no estimate."""
    name = {"duckdb": "APPROX_COUNT_DISTINCT", "spark": "APPROX_COUNT_DISTINCT", "trino": "APPROX_DISTINCT"}
    return f"{name[engine]}({value})" if engine in name else f"COUNT(DISTINCT {value})"


def ratio(part: str, whole: str, engine: str = "duckdb") -> str:
    """`part / whole` as a DOUBLE; NULL when `whole` is 0.

    >>> ratio("wins", "games")
    'CAST(wins AS DOUBLE) / NULLIF(CAST(games AS DOUBLE), 0)'
    """
    kind = "DOUBLE PRECISION" if engine == "postgres" else "DOUBLE"
    return f"CAST({part} AS {kind}) / NULLIF(CAST({whole} AS {kind}), 0)"


def money_round(value: str, digits: int = 4, engine: str = "duckdb") -> str:
    """An exact decimal with so many digits after the point, half-up: 0.00005 becomes 0.0001, and -0.00005 -0.0001.

    Decimals of up to 10 digits after the point; a double is no decimal.
    """
    return f"ROUND(CAST({value} AS {_wide(engine)}), {_digits(digits)})"


def money_times(value: str, factor: str, digits: int = 4, engine: str = "duckdb") -> str:
    """Exact `value * factor` of decimals, rounded half-up once; below 10^18. Decimals as in `money_round`."""
    wide = _wide(engine)
    return f"ROUND(CAST({value} AS {wide}) * CAST({factor} AS {wide}), {_digits(digits)})"


def money_div(value: str, divisor: str, digits: int = 4, engine: str = "duckdb") -> str:
    """Exact `value / divisor` of decimals, rounded half-up once; NULL when `divisor` is 0.

    Engines divide decimals as doubles, or with digits of their own. Here the quotient of an exact multiple is
    taken, which a double tells to the last of its 14 digits: the result is below 10^(14 - digits), an error above.
    """
    digits = _digits(digits)
    a, b = (f"CAST({text} AS {_wide(engine)})" for text in (value, divisor))
    unit = "0." + "0" * (digits - 1) + "1" if digits else "1"
    sign = f"CASE WHEN ({a} < 0) = ({b} < 0) THEN 1 ELSE -1 END"
    whole, twice = f"(ABS({a}) * {2 * 10**digits} + ABS({b}))", f"(ABS({b}) * 2)"
    double = "DOUBLE PRECISION" if engine == "postgres" else "DOUBLE"
    multiple = f"CAST({whole} - {whole} % NULLIF({twice}, 0) AS {double})"
    quotient = f"CAST({multiple} / NULLIF(CAST({twice} AS {double}), 0) AS BIGINT)"
    return f"CAST(CAST({sign} * {quotient} AS DECIMAL(14, 0)) * {unit} AS DECIMAL(18, {digits}))"


def _wide(engine: str) -> str:
    """Room for 28 digits before the point and 10 after it."""
    return "NUMERIC(38, 10)" if engine == "postgres" else "DECIMAL(38, 10)"


def _digits(digits: int) -> int:
    if digits not in range(11):
        problem = f"`{digits}` is no number of digits after the point, write 0 to 10"
        raise ValueError(problem)
    return digits


def whole_part(part: str, whole: str, engine: str = "duckdb") -> str:
    """`part / whole` of integers without its fraction, rounded towards zero; NULL when `whole` is 0."""
    plain = {
        "duckdb": "({part}) // NULLIF({whole}, 0)",
        "spark": "({part}) DIV NULLIF({whole}, 0)",
        "postgres": "({part}) / NULLIF({whole}, 0)",
        "trino": "({part}) / NULLIF({whole}, 0)",
    }
    return plain[engine].format(part=part, whole=whole)


def days_between(start: str, end: str, engine: str = "duckdb") -> str:
    """Whole days from one DATE to another; negative when `end` comes first."""
    return {
        "duckdb": "DATE_DIFF('day', {start}, {end})",
        "spark": "DATEDIFF({end}, {start})",
        "postgres": "(({end}) - ({start}))",
        "trino": "DATE_DIFF('day', {start}, {end})",
    }[engine].format(start=start, end=end)


def day_plus(day: str, days: int, engine: str = "duckdb") -> str:
    """A DATE moved by a number of days, which may be negative; still a DATE.

    >>> day_plus("report_date", -29)
    'CAST((report_date) + INTERVAL (-29) DAY AS DATE)'
    """
    return {
        "duckdb": "CAST(({day}) + INTERVAL ({days}) DAY AS DATE)",
        "spark": "DATE_ADD({day}, {days})",
        "postgres": "(({day}) + ({days}))",
        "trino": "DATE_ADD('day', {days}, {day})",
    }[engine].format(day=day, days=int(days))


def month_text(day: str, engine: str = "duckdb") -> str:
    """Month of a DATE as `YYYY-MM`."""
    return {
        "duckdb": "STRFTIME({day}, '%Y-%m')",
        "spark": "DATE_FORMAT({day}, 'yyyy-MM')",
        "postgres": "TO_CHAR({day}, 'YYYY-MM')",
        "trino": "DATE_FORMAT({day}, '%Y-%m')",
    }[engine].format(day=day)


MACROS: Mapping[str, Callable[..., str]] = {
    "business_day": business_day,
    "latest": latest,
    "distinct_about": distinct_about,
    "ratio": ratio,
    "money_round": money_round,
    "money_times": money_times,
    "money_div": money_div,
    "whole_part": whole_part,
    "days_between": days_between,
    "day_plus": day_plus,
    "month_text": month_text,
}
"""What a layout may call between `{{` and `}}`, by name."""
