"""Casts with DuckDB's meaning, written for Spark.

Spark cuts where DuckDB rounds, and each reads texts the other refuses. Texts are read only in forms that both read
alike; another form is an error when the query runs, also in TRY_CAST, where the two would differ in silence.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlglot import exp

from gamelake.layouts.portable import RefusedError, shown
from gamelake.layouts.sql_types import TIMES, Kind, is_text_literal, kind, kind_of_type, typed

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULT_DECIMAL = (18, 3)  # DuckDB's; Spark's is (10, 0)
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
# what only one of the engines reads: hexadecimal and binary numbers, digit groups, spaces around, suffixes
_DOUBTFUL_NUMBER = r"^\s*[+-]?(0[xXbB][0-9a-fA-F]|[0-9.]+_)|^\s+.*[0-9]|[0-9.]\s+$|[0-9.][dDfFlL]\s*$|^\s*[+-]{2}|[eE][+-]?[0-9]+\.|(?i)^\s*[+-]?(nan|inf)"
# few enough digits for a decimal to hold them all, so that the value is rounded once
_WHOLE = r"^[+-]?([0-9]{1,19}(\.[0-9]{0,9})?|\.[0-9]{1,9})([eE][+-]?[0-9])?$"
_DOUBTFUL_WHOLE = rf"{_DOUBTFUL_NUMBER}|^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$"
_BOOL = "(?i)^(true|false|t|f|1|0|yes|no|y|n)$"
_DOUBTFUL_BOOL = r"(?i)^\s*(true|false|t|f|1|0|yes|no|y|n|on|off)\s*$"
_DATE = r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$"
_DOUBTFUL_DATE = r"^\s*[+-]?[0-9]+\s*[-/. ]\s*[0-9]+\s*[-/. ]\s*[0-9]|(?i)^\s*[+-]?(inf|epoch)"
_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
)
_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


def call(name: str, *arguments: exp.Expr | str | int) -> exp.Anonymous:
    """A call of one of Spark's functions; texts become literals, numbers too."""
    return exp.Anonymous(this=name, expressions=[_argument(argument) for argument in arguments])


def cast(node: exp.Expr, to: str) -> exp.Cast:
    """A plain CAST to a type by its Spark name."""
    return exp.Cast(this=node.copy(), to=exp.DataType.build(to, dialect="spark"))


def spark_type(wanted: exp.DataType) -> exp.DataType:
    """The type in Spark; all times are instants there, read in UTC."""
    if wanted.this in {exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ}:
        return exp.DataType(this=exp.DType.TIMESTAMPTZ)
    if wanted.this is exp.DType.UUID:
        return exp.DataType(this=exp.DType.TEXT)
    if wanted.this is exp.DType.DECIMAL and not wanted.expressions:
        sizes = [exp.DataTypeParam(this=exp.Literal.number(size)) for size in _DEFAULT_DECIMAL]
        return exp.DataType(this=exp.DType.DECIMAL, expressions=sizes)
    return wanted.copy()


def rewritten_cast(node: exp.Cast | exp.TryCast) -> exp.Expr:
    """A cast whose value in Spark is the one DuckDB gives; RefusedError when there is none."""
    source, target = kind(node.this), kind_of_type(node.to)
    if is_text_literal(node.this) and target in {*TIMES, Kind.UUID}:
        return literal_of(node.this.name, target, node)
    if source is Kind.UNKNOWN:
        raise RefusedError(
            shown(node), f"its type is not known: cast `{shown(node.this)}` where it is made", follows=True
        )
    rule = _RULES.get((source, target))
    if rule is None:
        if source is not target and source is not Kind.NULL:
            raise RefusedError(
                shown(node), _HINTS.get((source, target), "cast by way of another type, or on DuckDB")
            )
        rule = _plain
    if source is Kind.NULL:
        rule = _plain
    return rule(node)


def literal_of(text: str, target: Kind, node: exp.Expr) -> exp.Expr:
    """A date, time or UUID from its text, read here so that no engine reads it differently."""
    try:
        if target is Kind.UUID:
            return typed(exp.Literal.string(str(UUID(text))), Kind.UUID)
        if target is Kind.DATE:
            return typed(cast(exp.Literal.string(date.fromisoformat(text).isoformat()), "DATE"), Kind.DATE)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(
            shown(node), f"write the {target.value} as ISO 8601: `2026-02-16`, `2026-02-16 20:00:00`"
        ) from None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    stamp = moment.replace(tzinfo=None).isoformat(" ", "microseconds")
    return typed(cast(exp.Literal.string(stamp), "TIMESTAMP"), target)


def as_text(node: exp.Expr) -> exp.Expr:
    """The value as DuckDB writes it into a text."""
    if kind(node) in {Kind.TEXT, Kind.NULL}:
        return node
    made = exp.Cast(this=node.copy(), to=exp.DataType(this=exp.DType.TEXT))
    return typed(rewritten_cast(made), Kind.TEXT)


def as_double(node: exp.Expr) -> exp.Expr:
    """The number as a double."""
    return node if kind(node) is Kind.DOUBLE else typed(cast(node, "DOUBLE"), Kind.DOUBLE)


def as_instant(node: exp.Expr) -> exp.Expr:
    """The date or time as Spark's timestamp."""
    return typed(cast(node, "TIMESTAMP"), Kind.INSTANT) if kind(node) is Kind.DATE else node


def fail(message: str, spark: str, value: exp.Expr | None = None) -> exp.Expr:
    """An expression that stops the query, naming the value, typed so that it fits where it stands."""
    told = call("concat", "`", value, f"` {message}") if value is not None else exp.Literal.string(message)
    return cast(call("raise_error", told), spark)


def _argument(argument: exp.Expr | str | int) -> exp.Expr:
    if isinstance(argument, exp.Expr):
        return argument.copy()
    return exp.Literal.string(argument) if isinstance(argument, str) else exp.Literal.number(argument)


def _plain(node: exp.Cast | exp.TryCast) -> exp.Expr:
    return _like(node, node.this.copy(), spark_type(node.to))


def _like(node: exp.Cast | exp.TryCast, value: exp.Expr, to: exp.DataType) -> exp.Expr:
    """A cast of the same sort; `safe` is what makes sqlglot write TRY_CAST for Spark."""
    return (
        exp.TryCast(this=value, to=to, safe=True)
        if isinstance(node, exp.TryCast)
        else exp.Cast(this=value, to=to)
    )


def _over(change: Callable[[exp.Expr], exp.Expr]) -> Callable[[exp.Cast | exp.TryCast], exp.Expr]:
    """A cast of the changed value."""
    return lambda node: _like(node, change(node.this), spark_type(node.to))


def _text_in(
    form: str, doubtful: str, via: str | None = None
) -> Callable[[exp.Cast | exp.TryCast], exp.Expr]:
    """A cast of texts in one form; doubtful ones stop the query, others are no value."""

    def rule(node: exp.Cast | exp.TryCast) -> exp.Expr:
        text, to = node.this, spark_type(node.to)
        spark = to.sql(dialect="spark")
        value: exp.Expr = text.copy()
        if via:
            value = call("round", _like(node, value, exp.DataType.build(via, dialect="spark")), 0)
        message = f"is no portable {node.to.sql(dialect='duckdb').lower()}"
        sound = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(form))
        case = exp.Case().when(sound, _like(node, value, to))
        case = case.when(
            exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(doubtful)),
            fail(message, spark, text),
        )
        if isinstance(node, exp.TryCast):
            return case
        return case.when(
            exp.Not(this=exp.Is(this=text.copy(), expression=exp.Null())), fail(message, spark, text)
        )

    return rule


def _uuid_of_text(node: exp.Cast | exp.TryCast) -> exp.Expr:
    text = node.this
    sound = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(_UUID))
    broken = exp.Not(this=exp.Is(this=text.copy(), expression=exp.Null()))
    return (
        exp.Case()
        .when(sound, call("lower", text))
        .when(broken, fail("is no UUID with hyphens", "STRING", text))
    )


def _blob_of_text(node: exp.Cast | exp.TryCast) -> exp.Expr:
    if not is_text_literal(node.this) or "\\" in node.this.name:
        raise RefusedError(shown(node), "engines read escapes in it differently: keep it a text")
    return _plain(node)


_NO_TEXT = "engines write it differently: use `strftime(x, '%Y-%m-%d %H:%M:%S')`"
_HINTS = {
    (Kind.DOUBLE, Kind.TEXT): "engines write it differently: keep the number, or cast it to an integer first",
    (Kind.DECIMAL, Kind.TEXT): "engines keep other scales: keep the number, or cast it to an integer first",
    (Kind.DOUBLE, Kind.DECIMAL): "engines round differently: `round(x, 2)` keeps it a double",
    (Kind.LOCAL, Kind.TEXT): _NO_TEXT,
    (Kind.INSTANT, Kind.TEXT): _NO_TEXT,
    (Kind.TEXT, Kind.INTERVAL): "an interval may only be added to a date or time",
}
_RULES: dict[tuple[Kind, Kind], Callable[[exp.Cast | exp.TryCast], exp.Expr]] = {
    (Kind.DOUBLE, Kind.INT): _over(lambda value: call("rint", value)),  # half to even, as DuckDB
    (Kind.DECIMAL, Kind.INT): _over(lambda value: call("round", value, 0)),  # half away from zero
    (Kind.TEXT, Kind.INT): _text_in(_WHOLE, _DOUBTFUL_WHOLE, "DECIMAL(38, 18)"),
    (Kind.TEXT, Kind.DOUBLE): _text_in(_NUMBER, _DOUBTFUL_NUMBER),
    (Kind.TEXT, Kind.DECIMAL): _text_in(_WHOLE, _DOUBTFUL_WHOLE),
    (Kind.TEXT, Kind.BOOL): _text_in(_BOOL, _DOUBTFUL_BOOL),
    (Kind.TEXT, Kind.DATE): _text_in(_DATE, _DOUBTFUL_DATE),
    (Kind.TEXT, Kind.LOCAL): _text_in(_TIME, _DOUBTFUL_DATE),
    (Kind.TEXT, Kind.INSTANT): _text_in(_TIME, _DOUBTFUL_DATE),
    (Kind.TEXT, Kind.UUID): _uuid_of_text,
    (Kind.TEXT, Kind.BLOB): _blob_of_text,
    (Kind.UUID, Kind.TEXT): lambda node: node.this.copy(),
    (Kind.UUID, Kind.UUID): lambda node: node.this.copy(),
    **{(source, target): _plain for source in (Kind.INT, Kind.BOOL) for target in (Kind.INT, Kind.TEXT, Kind.BOOL)},
    **{(Kind.INT, target): _plain for target in (Kind.DOUBLE, Kind.DECIMAL)},
    (Kind.DECIMAL, Kind.DOUBLE): _plain,
    (Kind.DATE, Kind.TEXT): _plain,
    **{(source, target): _plain for source in TIMES for target in TIMES},
    **{(same, same): _plain for same in (Kind.DOUBLE, Kind.DECIMAL, Kind.TEXT, Kind.BLOB)},
}  # fmt: skip
