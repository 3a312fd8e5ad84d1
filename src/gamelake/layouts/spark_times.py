"""Dates and times: DuckDB's arithmetic, parts and formats, written for a Spark whose session is in UTC."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from sqlglot import exp

from gamelake.layouts.portable import RefusedError, shown
from gamelake.layouts.spark_casts import as_double, as_instant, call, cast
from gamelake.layouts.sql_types import TIMES, Kind, kind, typed

MICROSECONDS = {
    "MICROSECOND": 1,
    "MILLISECOND": 1_000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
    "WEEK": 7 * 86_400_000_000,
}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_PARTS = {
    "YEAR": "year",
    "QUARTER": "quarter",
    "MONTH": "month",
    "WEEK": "weekofyear",
    "DAY": "day",
    "DAYOFMONTH": "day",
    "DAYOFYEAR": "dayofyear",
    "DOY": "dayofyear",
    "HOUR": "hour",
    "MINUTE": "minute",
    "SECOND": "second",
}
_FORMATS = {"Y": "yyyy", "m": "MM", "d": "dd", "H": "HH", "M": "mm", "S": "ss", "%": "%"}
_PLAIN = re.compile(r"[-/:., _%0-9]")


def plus(node: exp.Add | exp.Sub) -> exp.Expr | None:
    """A date or time plus or minus something; None when it is plain arithmetic."""
    left, right = node.left, node.right
    if isinstance(node, exp.Add) and kind(left) is Kind.INTERVAL:
        left, right = right, left
    kinds = kind(left), kind(right)
    if kinds[0] not in TIMES:
        return None
    if kinds[1] is Kind.INTERVAL:
        return _moved(left, right, -1 if isinstance(node, exp.Sub) else 1)
    if kinds == (Kind.DATE, Kind.INT):
        return call("date_sub" if isinstance(node, exp.Sub) else "date_add", left, cast(right, "INT"))
    if kinds == (Kind.DATE, Kind.DATE):
        return typed(cast(call("datediff", left, right), "BIGINT"), Kind.INT)
    hint = "take `date_diff('second', b, a)`, or the difference of `epoch_us`"
    raise RefusedError(shown(node), hint)


def _moved(moment: exp.Expr, by: exp.Expr, sign: int) -> exp.Expr:
    unit, amount = _interval(by)
    start = as_instant(moment)
    if unit in _MONTHS:
        months = exp.Mul(this=exp.Paren(this=amount), expression=exp.Literal.number(sign * _MONTHS[unit]))
        return exp.Anonymous(
            this="timestampadd", expressions=[exp.Var(this="MONTH"), cast(months, "INT"), start.copy()]
        )
    # days too: the session is in UTC, where every day has 24 hours
    steps = exp.Mul(this=cast(amount, "BIGINT"), expression=exp.Literal.number(sign * MICROSECONDS[unit]))
    return call("timestamp_micros", exp.Add(this=call("unix_micros", start), expression=steps))


def _interval(node: exp.Expr) -> tuple[str, exp.Expr]:
    """Unit and whole number of it."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Anonymous):
        unit, amount = node.name.upper().removeprefix("TO_"), node.expressions[0]
    elif isinstance(node, exp.Interval):
        unit, amount = (node.unit.name if node.unit else "").upper(), node.this
    else:
        raise RefusedError(shown(node), "write the interval where it is added: `x + INTERVAL 2 SECOND`")
    unit = unit.removesuffix("S")
    if isinstance(amount, exp.Literal) and amount.is_string:
        amount = typed(
            exp.Literal.number(amount.name), Kind.INT if re.fullmatch(r"-?\d+", amount.name) else Kind.DOUBLE
        )
    if kind(amount) is not Kind.INT or unit not in {*MICROSECONDS, *_MONTHS}:
        raise RefusedError(
            shown(node), "an interval is a whole number of one unit, from microseconds to years"
        )
    return unit, amount


def truncated(node: exp.TimestampTrunc | exp.DateTrunc) -> exp.Expr:
    """`date_trunc`."""
    return call("date_trunc", _unit(node), as_instant(moment_of(node.this, node)))


def difference(node: exp.DateDiff) -> exp.Expr:
    """`date_diff` counts the boundaries that lie between, not the whole units."""
    unit = _unit(node)
    if unit == "WEEK":
        hint = "engines count weeks differently: count the days between two `date_trunc('week', x)`, `// 7`"
        raise RefusedError(shown(node), hint)
    end, start = moment_of(node.this, node), moment_of(node.expression, node)
    if unit in _MONTHS:
        return exp.Paren(this=exp.Sub(this=_months(end, unit), expression=_months(start, unit)))
    micros = [call("unix_micros", call("date_trunc", unit, as_instant(moment))) for moment in (end, start)]
    passed = exp.Paren(this=exp.Sub(this=micros[0], expression=micros[1]))
    return exp.Paren(this=exp.IntDiv(this=passed, expression=exp.Literal.number(MICROSECONDS[unit])))


def _months(moment: exp.Expr, unit: str) -> exp.Expr:
    parts = {"YEAR": 1, "QUARTER": 4, "MONTH": 12}[unit]
    years = exp.Mul(this=call("year", moment), expression=exp.Literal.number(parts))
    if unit == "YEAR":
        return years
    return exp.Paren(this=exp.Add(this=years, expression=call(_PARTS[unit], moment)))


def part(node: exp.Expr) -> exp.Expr:
    """`extract`, `date_part`, `year` and the like."""
    if isinstance(node, exp.Extract):
        unit, moment = node.name.upper(), node.expression
    elif isinstance(node, exp.Anonymous):
        if len(node.expressions) != 2 or not isinstance(node.expressions[0], exp.Literal):
            raise RefusedError(shown(node), "name the part in quotes: `date_part('year', x)`")
        unit, moment = node.expressions[0].name.upper(), node.expressions[1]
    else:
        unit, moment = _NODES.get(type(node), type(node).__name__.upper()), node.this
    moment = moment_of(moment, node)
    if unit in {"DOW", "DAYOFWEEK", "WEEKDAY"}:
        return _wide(exp.Sub(this=call("dayofweek", moment), expression=exp.Literal.number(1)))
    if unit == "ISODOW":
        return _wide(exp.Add(this=call("weekday", moment), expression=exp.Literal.number(1)))
    if unit == "EPOCH":
        return epoch(moment)
    if unit not in _PARTS:
        raise RefusedError(
            shown(node),
            f"portable parts are: {', '.join(sorted({*_PARTS, 'DOW', 'ISODOW', 'EPOCH'})).lower()}",
        )
    return _wide(call(_PARTS[unit], moment))


def epoch(moment: exp.Expr) -> exp.Expr:
    """Seconds since 1970 with their fraction."""
    micros = typed(call("unix_micros", as_instant(moment)), Kind.INT)
    return exp.Paren(this=exp.Div(this=as_double(micros), expression=exp.Literal.number("1000000")))


def unix_time(node: exp.UnixToTime) -> exp.Expr:
    """`epoch_ms`, which goes both ways, and `make_timestamp`."""
    scale = node.args.get("scale")
    names = {"3": ("unix_millis", "timestamp_millis"), "6": ("unix_micros", "timestamp_micros")}
    if scale is None or scale.name not in names:
        raise RefusedError(shown(node), "use `TIMESTAMPTZ '1970-01-01 00:00:00+00:00' + to_seconds(x)`")
    forth, back = names[scale.name]
    if kind(node.this) in TIMES:
        micros = call("unix_micros", as_instant(node.this))
        return micros if forth == "unix_micros" else _milliseconds(micros)
    if kind(node.this) is not Kind.INT:
        raise RefusedError(shown(node), "give it whole milliseconds")
    return call(back, node.this)


def _milliseconds(micros: exp.Expr) -> exp.Expr:
    """Rounded half away from zero, as DuckDB does; Spark's `unix_millis` would cut."""
    late = exp.GTE(this=micros.copy(), expression=exp.Literal.number(0))
    half = exp.Case().when(late, exp.Literal.number(500)).else_(exp.Literal.number(-500))
    return exp.Paren(
        this=exp.IntDiv(
            this=exp.Paren(this=exp.Add(this=micros, expression=half)), expression=exp.Literal.number(1000)
        )
    )


def zoned(node: exp.AtTimeZone) -> exp.Expr:
    """`AT TIME ZONE`: a local time is kept as the instant at which UTC shows it."""
    zone = node.args["zone"]
    if not isinstance(zone, exp.Literal) or not _is_zone(zone.name):
        raise RefusedError(shown(node), "name the zone in quotes, as `'Asia/Ho_Chi_Minh'`")
    name = "from_utc_timestamp" if kind(node.this) is Kind.INSTANT else "to_utc_timestamp"
    return call(name, as_instant(moment_of(node.this, node)), zone)


def formatted(node: exp.TimeToStr) -> exp.Expr:
    """`strftime` of a date or time."""
    form = node.args["format"]
    if not isinstance(form, exp.Literal):
        raise RefusedError(shown(node), "write the format as a text in quotes")
    return call("date_format", moment_of(node.this, node), _pattern(form.name, node))


def _pattern(form: str, node: exp.Expr) -> str:
    made = ""
    letters = iter(form)
    for letter in letters:
        if letter == "%":
            code = next(letters, "")
            if code not in _FORMATS:
                raise RefusedError(
                    shown(node), f"portable codes are: {', '.join('%' + known for known in _FORMATS)}"
                )
            made += _FORMATS[code]
        else:
            made += letter if _PLAIN.fullmatch(letter) else f"'{letter}'" if letter != "'" else "''"
    return made


def moment_of(moment: exp.Expr, around: exp.Expr) -> exp.Expr:
    """The date or time itself; refused when it is none."""
    if kind(moment) not in TIMES:
        raise RefusedError(shown(around), f"`{shown(moment)}` is no date or time: cast it to one")
    return moment


def _unit(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    name = (unit.name if unit is not None else "DAY").upper().removesuffix("S")
    if name not in {*MICROSECONDS, *_MONTHS}:
        raise RefusedError(shown(node), "portable units reach from microsecond to year")
    return name


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return name == "UTC" or "/" in name


def _wide(node: exp.Expr) -> exp.Expr:
    return typed(cast(node, "BIGINT"), Kind.INT)


_NODES: dict[type[exp.Expr], str] = {
    exp.DayOfWeek: "DOW",
    exp.DayOfWeekIso: "ISODOW",
    exp.DayOfYear: "DOY",
    exp.DayOfMonth: "DAY",
}
