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
    "whole_part": whole_part,
    "days_between": days_between,
    "day_plus": day_plus,
    "month_text": month_text,
}
"""What a layout may call between `{{` and `}}`, by name."""
