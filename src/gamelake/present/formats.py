"""How numbers, times and sizes read, in the terminal and on pages alike."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

NOTHING = "–"  # what an absent value looks like
_SHORT = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_AGES = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (86_400, 3600, "hour"),
    (86_400 * 30, 86_400, "day"),
    (86_400 * 365, 86_400 * 30, "month"),
    (math.inf, 86_400 * 365, "year"),
)


def number(value: float | None) -> str:
    """Three significant digits with a short unit; whole numbers below 10,000 stay exact.

    >>> number(24_789_146), number(1_234), number(0.1234), number(None)
    ('24.8 M', '1,234', '0.123', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size < 10_000:
        return f"{value:,.0f}" if value == int(value) or size >= 1000 else f"{value:.3g}"
    for factor, unit in _SHORT:
        if size >= factor * 0.9995:
            scaled = value / factor
            digits = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            return f"{scaled:,.{digits}f} {unit}"
    raise AssertionError(value)


def count(value: float | None) -> str:
    """Every digit, grouped by thousands.

    >>> count(24789146)
    '24,789,146'
    """
    return NOTHING if value is None else f"{value:,.0f}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "row"), plural(2000, "row"), plural(2, "entry", "entries")
    ('1 row', '2,000 rows', '2 entries')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of one as a percentage; what is not zero never reads as zero.

    >>> percent(0.4567), percent(0.00001), percent(-0.000012, 4), percent(1.0)
    ('45.7%', '<0.1%', '-0.0012%', '100%')
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    least = 10.0**-digits
    value = share * 100
    if value and abs(value) < least / 2:
        return f"{'-' if value < 0 else ''}<{least:.{digits}f}%"
    return f"{value:.0f}%" if value == int(value) else f"{value:.{digits}f}%"


def clock(milliseconds: float | None) -> str:
    """Length of a fight, or a time within it.

    >>> clock(93_000), clock(3_723_000), clock(-1500), clock(None)
    ('1:33', '1:02:03', '-0:01', '–')
    """
    if milliseconds is None:
        return NOTHING
    sign = "-" if milliseconds < 0 else ""
    minutes, seconds = divmod(int(abs(milliseconds) // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{seconds:02}" if hours else f"{sign}{minutes}:{seconds:02}"


def duration(seconds: float | None) -> str:
    """How long some work took.

    >>> duration(0.0123), duration(4.21), duration(93), duration(7384)
    ('12 ms', '4.2 s', '1 min 33 s', '2 h 3 min')
    """
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(value: float | None) -> str:
    """Bytes with a decimal unit.

    >>> size(0), size(999), size(155_000_000)
    ('0 B', '999 B', '155 MB')
    """
    if value is None:
        return NOTHING
    scaled, unit = float(value), 0
    while scaled >= 999.5 and unit < len(_SIZES) - 1:
        scaled, unit = scaled / 1000, unit + 1
    return f"{scaled:.0f} {_SIZES[unit]}" if not unit or scaled >= 99.5 else f"{scaled:.3g} {_SIZES[unit]}"


def rate(value: float, seconds: float, unit: str = "rows") -> str:
    """Amount per second.

    >>> rate(2_000_000, 4)
    '500 k rows/s'
    """
    return f"{number(value / seconds)} {unit}/s" if seconds > 0 else NOTHING


def ago(then: datetime | None, now: datetime) -> str:
    """How long before now, in the largest unit that fits.

    >>> now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> ago(datetime(2026, 11, 22, 11, 57, tzinfo=UTC), now), ago(now, now)
    ('3 minutes ago', 'just now')
    """
    if then is None:
        return NOTHING
    seconds = (now - aware(then)).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    for limit, length, unit in _AGES:
        if abs(seconds) < limit:
            amount = plural(int(abs(seconds) // length), unit)
            return f"in {amount}" if seconds < 0 else f"{amount} ago"
    raise AssertionError(seconds)


def moment(value: datetime | None, zone: str | tzinfo = UTC) -> str:
    """Date and time of day, to the second, in the project's zone.

    >>> moment(datetime(2026, 11, 22, 12, 3, 4, tzinfo=UTC), "Europe/Berlin")
    '2026-11-22 13:03:04'
    """
    if value is None:
        return NOTHING
    return (
        aware(value)
        .astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone)
        .strftime("%Y-%m-%d %H:%M:%S")
    )


def time_of_day(value: datetime | None, zone: str | tzinfo = UTC) -> str:
    """Hour and minute in the project's zone.

    >>> time_of_day(datetime(2026, 11, 22, 12, 3, 4, tzinfo=UTC), "Europe/Berlin")
    '13:03'
    """
    return moment(value, zone)[11:16] if value else NOTHING


def aware(value: datetime) -> datetime:
    """The same time with a zone; a time without one is UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def cell(value: Any) -> str:
    r"""Any value of a result row as short text.

    >>> cell(None), cell(True), cell(1.5), cell("a"), cell(b"\x00\xff")
    ('–', 'yes', '1.5', 'a', '0x00ff')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        return f"0x{value[:16].hex()}" + ("…" if len(value) > 16 else "")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds" if value.microsecond else "seconds")
    return str(value)
