"""One rule for each construct that Spark spells or means differently: before → after, equal in value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gamelake.layouts import spark_times as times
from gamelake.layouts.portable import RefusedError, shown
from gamelake.layouts.spark_casts import (
    as_double,
    as_instant,
    as_text,
    call,
    cast,
    fail,
    literal_of,
    rewritten_cast,
)
from gamelake.layouts.spark_texts import TEXT_RULES, whole
from gamelake.layouts.sql_types import NUMBERS, TIMES, Kind, common, is_text_literal, kind, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _div(node: exp.Div) -> exp.Expr:
    """`a / b` → of doubles, infinite or NaN by zero as IEEE says, where Spark would stop."""
    left, right = as_double(_number(node.left, node)), as_double(_number(node.right, node))
    plain = exp.Div(this=_wrapped(left), expression=_wrapped(right))
    if _never_zero(node.right):
        return exp.Paren(this=plain)
    endless = exp.Mul(this=_wrapped(left), expression=cast(exp.Literal.string("Infinity"), "DOUBLE"))
    zero = exp.EQ(this=_wrapped(right), expression=exp.Literal.number(0))
    return exp.Case().when(zero, endless).else_(plain)


def _never_zero(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren | exp.Cast):
        node = node.this
    if isinstance(node, exp.Literal):
        return float(node.this) != 0
    by_zero = isinstance(node, exp.Nullif) and isinstance(node.expression, exp.Literal)
    return by_zero and float(node.expression.this) == 0


def _int_div(node: exp.IntDiv) -> exp.Expr | None:
    if {kind(node.left), kind(node.right)} != {Kind.INT}:
        raise RefusedError(shown(node), "`//` of whole numbers only: cast both sides to BIGINT")
    return None


def _mod(node: exp.Mod) -> exp.Expr | None:
    if not {kind(node.left), kind(node.right)} <= {Kind.INT, Kind.DECIMAL}:
        raise RefusedError(shown(node), "the remainder of doubles differs by zero: cast both sides to BIGINT")
    return None


def _plus(node: exp.Add | exp.Sub) -> exp.Expr | None:
    moved = times.plus(node)
    if moved is None:
        _number(node.left, node)
        _number(node.right, node)
    return moved


def _times(node: exp.Mul) -> None:
    _number(node.left, node)
    _number(node.right, node)


def _number(node: exp.Expr, around: exp.Expr) -> exp.Expr:
    if kind(node) not in {*NUMBERS, Kind.NULL}:
        raise RefusedError(shown(around), f"`{shown(node)}` is not known to be a number: cast it")
    return node


def _compare(node: exp.Binary) -> exp.Expr | None:
    """Two values of one kind; a text in quotes becomes what it is compared with."""
    _aligned([node.left, node.right], node)
    return None


def _between(node: exp.Between) -> None:
    _aligned([node.this, node.args["low"], node.args["high"]], node)


def _in(node: exp.In) -> None:
    if not node.args.get("query"):
        _aligned([node.this, *node.expressions], node)


def _alternatives(node: exp.Expr) -> None:
    _aligned([node.this, *node.expressions], node)


def _nullif(node: exp.Nullif) -> None:
    _aligned([node.this, node.expression], node)


def _case(node: exp.Case) -> None:
    branches = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    _aligned([*branches, default] if default is not None else branches, node)
    if node.this is not None:
        _aligned([node.this, *(branch.this for branch in node.args["ifs"])], node)


def _if(node: exp.If) -> None:
    if not isinstance(node.parent, exp.Case):
        _aligned([b for b in (node.args["true"], node.args.get("false")) if b is not None], node)


def _aligned(nodes: list[exp.Expr], around: exp.Expr) -> None:
    found = common(nodes)
    if found is Kind.UNKNOWN:
        told = ", ".join(f"`{shown(node)}` is {kind(node)}" for node in nodes[:3])
        raise RefusedError(shown(around), f"cast them to one type: {told}")
    if found in {*TIMES, Kind.UUID}:
        for node in nodes:
            if is_text_literal(node):
                node.replace(literal_of(node.name, found, node))


def _pipe(node: exp.DPipe) -> exp.Expr:
    return typed(call("concat", as_text(node.left), as_text(node.right)), Kind.TEXT)


def _concat(node: exp.Concat) -> exp.Expr:
    """DuckDB leaves nulls out, Spark makes the whole null."""
    parts = [
        exp.Coalesce(this=as_text(p).copy(), expressions=[exp.Literal.string("")]) for p in node.expressions
    ]
    return call("concat", *parts)


def _concat_ws(node: exp.ConcatWs) -> exp.Expr:
    return call("concat_ws", *(as_text(part) for part in node.expressions))


def _sum(node: exp.Sum) -> None:
    argument = _argument(node)
    if kind(argument) is Kind.BOOL:
        argument.replace(cast(argument, "INT"))
    elif kind(argument) not in NUMBERS:
        _number(argument, node)


def _argument(node: exp.Expr) -> exp.Expr:
    inner: exp.Expr = node.this
    if not isinstance(inner, exp.Distinct):
        return inner
    only: exp.Expr = inner.expressions[0]
    return only


def _arg(name: str) -> Callable[[Any], exp.Expr]:
    """`arg_max(x, y)` passes over rows in which either is null; `max_by` only over those without `y`."""

    def rule(node: exp.Expr) -> exp.Expr:
        if node.args.get("count"):
            raise RefusedError(shown(node), "`row_number() OVER (… ORDER BY …) <= n` gives the first n")
        known = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
        return call(name, node.this, exp.Case().when(known, node.expression.copy()))

    return rule


def _percentile(node: exp.Expr) -> exp.Expr:
    share = node.args.get("expression") or exp.Literal.number("0.5")
    if kind(node.this) not in NUMBERS:
        raise RefusedError(shown(node), "the median of numbers only")
    if not isinstance(share, exp.Literal):
        raise RefusedError(shown(node), "write the share as a number")
    return call("percentile", as_double(node.this), share)


def _string_agg(node: exp.GroupConcat) -> None:
    inner = _argument(node.this) if isinstance(node.this, exp.Order) else node.this
    if kind(inner) is not Kind.TEXT:
        inner.replace(as_text(inner).copy())


def _round(node: exp.Round) -> exp.Expr:
    digits = whole(node.args.get("decimals") or exp.Literal.number(0), 0, node)
    value: exp.Expr = node.this
    match kind(value):
        case Kind.INT:
            return value.copy()
        case Kind.DECIMAL:
            return call("round", node.this, digits)
        case Kind.DOUBLE:
            factor = exp.Literal.number(f"1e{digits}")  # as DuckDB computes it
            scaled = exp.Mul(this=_wrapped(node.this), expression=factor) if digits else node.this.copy()
            rounded = call("round", scaled, 0)
            return exp.Paren(this=exp.Div(this=rounded, expression=factor.copy())) if digits else rounded
        case _:
            raise RefusedError(shown(node), "cast it to a number first")


def _edge(node: exp.Floor | exp.Ceil) -> exp.Expr:
    """`floor` and `ceil` of a double stay doubles; Spark's are BIGINT, cut at its bounds."""
    value: exp.Expr = node.this
    if kind(value) is Kind.INT:
        return value.copy()
    if kind(value) is Kind.DECIMAL and not node.args.get("decimals"):
        return call("floor" if isinstance(node, exp.Floor) else "ceil", value)
    if kind(value) is not Kind.DOUBLE or node.args.get("decimals"):
        raise RefusedError(shown(node), "of one number only")
    near = call("rint", value)
    one = exp.Literal.number("1e0")
    beyond: exp.Expr = exp.GT(this=near, expression=value.copy())
    moved: exp.Expr = exp.Sub(this=near.copy(), expression=one)
    if isinstance(node, exp.Ceil):
        beyond = exp.LT(this=near, expression=value.copy())
        moved = exp.Add(this=near.copy(), expression=one)
    return exp.Case().when(beyond, moved).else_(near.copy())


def _is_nan(node: exp.IsNan) -> exp.Expr:
    known = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
    return exp.Case().when(known, call("isnan", node.this))


def _sign(node: exp.Sign) -> exp.Expr:
    return cast(call("signum", as_double(_number(node.this, node))), "INT")


def _sqrt(node: exp.Sqrt) -> exp.Expr:
    value = as_double(_number(node.this, node))
    negative = exp.LT(this=value.copy(), expression=exp.Literal.number(0))
    return (
        exp.Case()
        .when(negative, fail("has no square root", "DOUBLE", cast(value, "STRING")))
        .else_(call("sqrt", value))
    )


def _pow(node: exp.Pow) -> exp.Expr:
    if not isinstance(node.expression, exp.Literal) or node.expression.this != "2":
        raise RefusedError(shown(node), "its last digit differs between engines: only `power(x, 2)` is exact")
    value = _wrapped(as_double(_number(node.this, node)))
    return exp.Paren(this=exp.Mul(this=value, expression=value.copy()))


def _cast(node: exp.Cast | exp.TryCast) -> exp.Expr:
    return rewritten_cast(node)


def _anonymous(node: exp.Anonymous) -> exp.Expr | None:
    name = node.name.lower()
    if name == "date_part":
        return times.part(node)
    if name == "epoch_us" and kind(node.expressions[0]) in TIMES:
        return typed(call("unix_micros", as_instant(node.expressions[0])), Kind.INT)
    if name.startswith("to_"):
        return None  # seen by the sum it stands in
    raise RefusedError(shown(node), "give it a date or time")


def _epoch(node: exp.TimeToUnix) -> exp.Expr:
    return times.epoch(times.moment_of(node.this, node))


def _make_date(node: exp.DateFromParts) -> exp.Expr:
    return call("make_date", *(cast(node.args[key], "INT") for key in ("year", "month", "day")))


def _wrapped(node: exp.Expr) -> exp.Expr:
    plain = isinstance(node, exp.Column | exp.Literal | exp.Anonymous | exp.Cast | exp.Paren)
    return node.copy() if plain else exp.Paren(this=node.copy())


def _set_operation(node: exp.SetOperation) -> None:
    left, right = node.left.unnest(), node.right.unnest()
    if not isinstance(left, exp.Query) or not isinstance(right, exp.Query):
        return
    for position, (one, other) in enumerate(zip(left.selects, right.selects, strict=False), start=1):
        kinds = {kind(one), kind(other)} - {Kind.NULL}
        if len(kinds) > 1 or Kind.UNKNOWN in kinds:
            told = f"column {position} is {kind(one)} in one query and {kind(other)} in the other"
            raise RefusedError(node.key.upper(), f"{told}: cast both to one type")


RULES: Mapping[type[exp.Expr], Callable[[Any], exp.Expr | None]] = {
    **TEXT_RULES,
    exp.Add: _plus,
    exp.Anonymous: _anonymous,
    exp.ArgMax: _arg("max_by"),
    exp.ArgMin: _arg("min_by"),
    exp.AtTimeZone: times.zoned,
    exp.Between: _between,
    exp.Case: _case,
    exp.Cast: _cast,
    exp.Ceil: _edge,
    exp.Coalesce: _alternatives,
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.DateDiff: times.difference,
    exp.DateFromParts: _make_date,
    exp.DateTrunc: times.truncated,
    exp.Div: _div,
    exp.DPipe: _pipe,
    exp.Except: _set_operation,
    exp.Floor: _edge,
    exp.Greatest: _alternatives,
    exp.GroupConcat: _string_agg,
    exp.If: _if,
    exp.In: _in,
    exp.IntDiv: _int_div,
    exp.Intersect: _set_operation,
    exp.IsNan: _is_nan,
    exp.Least: _alternatives,
    exp.Median: _percentile,
    exp.Mod: _mod,
    exp.Mul: _times,
    exp.Nullif: _nullif,
    exp.PercentileCont: _percentile,
    exp.Pow: _pow,
    exp.Round: _round,
    exp.Sign: _sign,
    exp.Sqrt: _sqrt,
    exp.Sub: _plus,
    exp.Sum: _sum,
    exp.TimestampTrunc: times.truncated,
    exp.TimeToStr: times.formatted,
    exp.TimeToUnix: _epoch,
    exp.TryCast: _cast,
    exp.Union: _set_operation,
    exp.UnixToTime: times.unix_time,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), _compare),
    **dict.fromkeys(
        (exp.Year, exp.Quarter, exp.Month, exp.Week, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfWeekIso,
         exp.DayOfYear, exp.Extract, exp.Hour, exp.Minute, exp.Second), times.part
    ),
}  # fmt: skip
