"""The SQL that means the same on every engine: which constructs those are, and why the others are refused.

A closed list: what is not named here is refused, so that no construct slips through with another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlglot import exp

from gamelake.layouts.query import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_NODES: tuple[type[exp.Expr], ...] = (
    exp.Add, exp.Alias, exp.And, exp.Anonymous, exp.AtTimeZone, exp.Between, exp.BitwiseAnd, exp.BitwiseNot,
    exp.BitwiseOr, exp.BitwiseXor, exp.Boolean, exp.Case, exp.Cast, exp.Column, exp.CTE, exp.Cube, exp.DataType,
    exp.DataTypeParam, exp.Distinct, exp.Div, exp.DPipe, exp.EQ, exp.Escape, exp.Except, exp.Exists, exp.Extract,
    exp.Filter, exp.From, exp.Group, exp.GroupingSets, exp.GT, exp.GTE, exp.Having, exp.Identifier, exp.If,
    exp.IgnoreNulls, exp.ILike, exp.In, exp.IntDiv, exp.Intersect, exp.Interval, exp.Is, exp.Join, exp.Like,
    exp.Limit, exp.Literal, exp.LT, exp.LTE, exp.Mod, exp.Mul, exp.Neg, exp.NEQ, exp.Not, exp.Null, exp.NullSafeEQ,
    exp.NullSafeNEQ, exp.Offset, exp.Or, exp.Order, exp.Ordered, exp.Paren, exp.Qualify, exp.RespectNulls,
    exp.Rollup, exp.Select, exp.Star, exp.Sub, exp.Subquery, exp.Table, exp.TableAlias, exp.TryCast, exp.Tuple,
    exp.Union, exp.Values, exp.Var, exp.Where, exp.Window, exp.WindowSpec, exp.With,
)  # fmt: skip
_FUNCTIONS: tuple[type[exp.Expr], ...] = (
    exp.Abs, exp.ArgMax, exp.ArgMin, exp.Avg, exp.Ceil, exp.Coalesce, exp.Concat, exp.ConcatWs, exp.Contains,
    exp.Count, exp.CountIf, exp.CumeDist, exp.DateDiff, exp.DateFromParts, exp.DateTrunc, exp.Day,
    exp.DayOfMonth, exp.DayOfWeek, exp.DayOfWeekIso, exp.DayOfYear, exp.DenseRank, exp.EndsWith, exp.FirstValue,
    exp.Floor, exp.Greatest, exp.GroupConcat, exp.IsNan, exp.Lag, exp.LastDay, exp.LastValue, exp.Lead, exp.Least,
    exp.Left, exp.Length, exp.LogicalAnd, exp.LogicalOr, exp.Lower, exp.Max, exp.MD5, exp.Median, exp.Min,
    exp.Month, exp.NthValue, exp.Ntile, exp.Nullif, exp.Pad, exp.PercentileCont, exp.PercentRank, exp.Pow, exp.Quarter,
    exp.Rank, exp.RegexpExtract, exp.RegexpLike, exp.RegexpReplace, exp.Repeat, exp.Replace, exp.Right, exp.Round,
    exp.RowNumber, exp.SHA2, exp.Sign, exp.SplitPart, exp.Sqrt, exp.StartsWith, exp.Stddev, exp.StddevPop,
    exp.StddevSamp, exp.StrPosition, exp.Substring, exp.Sum, exp.TimeToStr, exp.TimeToUnix, exp.TimestampTrunc,
    exp.Trim, exp.UnixToTime, exp.Upper, exp.Variance, exp.VariancePop, exp.Week, exp.Year, exp.Grouping,
)  # fmt: skip
_NAMED = frozenset(
    {"contains", "date_part", "dayofmonth", "ends_with", "epoch_us", "even", "hour", "instr", "isinf", "minute", "second"}
    | {"suffix", "prefix"}
    | {f"to_{unit}s" for unit in ("microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "year")}
) - {"even", "isinf"}  # fmt: skip
_ALLOWED = frozenset((*_NODES, *_FUNCTIONS, exp.Hour, exp.Minute, exp.Second))

_NO_LISTS = (
    "join the rows instead: `string_agg(x, ',' ORDER BY y)` for a text, `row_number()` for the first of each"
)
_LEAST_ROW = "take `min` or `max`, or `row_number() OVER (… ORDER BY …) = 1` with an order that decides"
_HINTS: dict[type[exp.Expr], str] = {
    exp.AnyValue: f"it may take any row: {_LEAST_ROW}",
    exp.ApproxDistinct: "engines estimate differently: `count(DISTINCT x)` is exact",
    exp.Array: _NO_LISTS,
    exp.ArrayAgg: _NO_LISTS,
    exp.Bracket: "lists, maps and slices differ between engines: use `substr(x, start, length)` for texts",
    exp.CurrentDate: "a rebuild would give other rows: use the variable of the slice",
    exp.CurrentTimestamp: "a rebuild would give other rows: use the variable of the slice",
    exp.Exp: "its last digit differs between engines: compute it in a Python step",
    exp.First: f"it may take any row: {_LEAST_ROW}",
    exp.Last: f"it may take any row: {_LEAST_ROW}",
    exp.Ln: "its last digit differs between engines: compute it in a Python step",
    exp.Mode: "ties are broken differently: count in a `WITH` query and take `row_number() … = 1`",
    exp.Pivot: "write `sum(CASE WHEN … THEN … END)` for each column",
    exp.Rand: "a rebuild would give other rows: use `md5` of the key",
    exp.SimilarTo: "use `regexp_matches(x, '^…$')`",
    exp.Struct: "select the fields as columns",
    exp.TableSample: "a rebuild would give other rows: filter on `md5` of the key",
    exp.Unnest: "lists are not portable: read the elements from a dataset",
}
_HINTS_BY_NAME = {
    "hash": "every engine hashes differently: use `md5(x)`",
    "now": _HINTS[exp.CurrentTimestamp],
    "random": _HINTS[exp.Rand],
    "uuid": _HINTS[exp.Rand],
    "arbitrary": _HINTS[exp.AnyValue],
    "to_timestamp": "use `TIMESTAMPTZ '1970-01-01 00:00:00+00' + to_seconds(x)`",
    "time_bucket": "use `date_trunc`, or subtract the remainder from the epoch",
}
_GENERAL = 'the guide to Spark lists what is portable; or keep this step on DuckDB by `engine = "duckdb"`'
_JOIN_HINTS = {
    "ASOF": "join on `<=` and keep the last row by `row_number() … = 1`",
    "POSITIONAL": "number the rows and join on the number",
    "NATURAL": "name the columns: `JOIN … USING (a, b)`",
}


@dataclass(eq=False)
class RefusedError(Exception):
    """A construct that another engine understands differently or not at all."""

    construct: str
    hint: str
    follows: bool = False  # perhaps only from another refusal


def unportable(tree: exp.Query) -> Iterator[Problem]:
    """Everything in the query that is outside the portable subset, in order of the text."""
    seen: set[tuple[str, int]] = set()
    refused: set[int] = set()
    for node in tree.walk():
        inside = node.parent is not None and id(node.parent) in refused  # of something refused as a whole
        refusal = None if inside else _refusal(node)
        if inside or refusal is not None:
            refused.add(id(node))
        if refusal is None:
            continue
        line = line_of(node)
        if (refusal.construct, line) not in seen:
            seen.add((refusal.construct, line))
            yield problem_of(refusal, line)


def problem_of(refusal: RefusedError, line: int) -> Problem:
    """A refusal as a problem of a line."""
    return Problem(f"`{refusal.construct}` is not portable to Spark", line, refusal.hint)


def mark_lines(tree: exp.Query) -> None:
    """Note the line of every node, so that it survives rewriting."""
    for node in tree.walk():
        lines = [part.meta["line"] for part in node.walk() if "line" in part.meta]
        above = node.parent.meta.get("at", 1) if node.parent is not None else 1
        node.meta["at"] = min(lines, default=above)


def line_of(node: exp.Expr) -> int:
    """The line `mark_lines` noted for the node or for the nearest one around it."""
    found: exp.Expr | None = node
    while found is not None:
        if "at" in found.meta:
            return cast("int", found.meta["at"])
        found = found.parent
    return 1


def shown(node: exp.Expr) -> str:
    """The construct as its author knows it, short enough for a message."""
    text = node.sql(dialect="duckdb", comments=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _refusal(node: exp.Expr) -> RefusedError | None:
    kind = type(node)
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        return None if name in _NAMED else RefusedError(f"{name}()", _HINTS_BY_NAME.get(name, _GENERAL))
    if kind not in _ALLOWED:
        return RefusedError(_named(node), _HINTS.get(kind, _GENERAL))
    check: Any = _CHECKS.get(kind)
    return check(node) if check is not None else None


def _named(node: exp.Expr) -> str:
    text = shown(node)
    name, bracket, _ = text.partition("(")
    return f"{name.lower()}()" if isinstance(node, exp.Func) and bracket and name.isidentifier() else text


def _table(node: exp.Table) -> RefusedError | None:
    if isinstance(node.this, exp.Func):
        return RefusedError(shown(node), "table functions are not portable: read the rows from a dataset")
    return None


def _join(node: exp.Join) -> RefusedError | None:
    for word in (node.method, node.kind):
        if word.upper() in _JOIN_HINTS:
            return RefusedError(f"{word.upper()} JOIN", _JOIN_HINTS[word.upper()])
    return None


def _count(node: exp.Count) -> RefusedError | None:
    several = node.args.get("expressions") or []
    inner = node.this
    columns = inner.expressions if isinstance(inner, exp.Distinct) else []
    if several or len(columns) > 1 or any(isinstance(column, exp.Tuple) for column in columns):
        hint = "count the rows of `SELECT DISTINCT a, b`: engines disagree about nulls among them"
        return RefusedError(shown(node), hint)
    return None


def _window(node: exp.WindowSpec) -> RefusedError | None:
    offsets = [node.args.get("start"), node.args.get("end")]
    if (node.args.get("kind") or "").upper() != "ROWS" and any(isinstance(end, exp.Expr) for end in offsets):
        return RefusedError(
            f"{node.args.get('kind')} with an offset", "use `ROWS BETWEEN …`, or join on the range"
        )
    if node.args.get("exclude"):
        return RefusedError("EXCLUDE in a window", "subtract the row's own value")
    return None


def _set(node: exp.SetOperation) -> RefusedError | None:
    if node.args.get("by_name"):
        return RefusedError("UNION BY NAME", "name the columns in the same order in both queries")
    if not isinstance(node, exp.Union) and not node.args.get("distinct"):
        return RefusedError(
            f"{node.key.upper()} ALL", "engines count repeats differently: number the rows first"
        )
    return None


def _interval(node: exp.Interval) -> RefusedError | None:
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    if isinstance(parent, exp.Add | exp.Sub | exp.Between):
        return None
    return RefusedError(shown(node), "an interval may only be added to a date or time, or taken from one")


def _tuple(node: exp.Tuple) -> RefusedError | None:
    if isinstance(node.parent, exp.Values | exp.Group | exp.GroupingSets | exp.Cube | exp.Rollup):
        return None
    return RefusedError(shown(node), "compare column by column, joined by AND")


def _group_concat(node: exp.GroupConcat) -> RefusedError | None:
    if isinstance(node.this, exp.Order):
        return None
    return RefusedError("string_agg() without ORDER BY", "add an order: `string_agg(x, ',' ORDER BY x)`")


def _limit(node: exp.Limit) -> RefusedError | None:
    select = node.parent
    if isinstance(select, exp.Query) and select.args.get("order"):
        return None
    return RefusedError("LIMIT without ORDER BY", "add an ORDER BY that leaves no ties")


def _distinct(node: exp.Distinct) -> RefusedError | None:
    if node.args.get("on"):
        return RefusedError("DISTINCT ON", "use `QUALIFY row_number() OVER (PARTITION BY … ORDER BY …) = 1`")
    return None


def _data_type(node: exp.DataType) -> RefusedError | None:
    if node.this in TYPES:
        return None
    known = "text, int, bigint, double, decimal, bool, date, timestamp, timestamptz, uuid, blob"
    return RefusedError(f"type {shown(node)}", f"portable types are: {known}")


TYPES = {
    *(exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.INT, exp.DType.BIGINT, exp.DType.DOUBLE),
    *(
        exp.DType.DECIMAL,
        exp.DType.BOOLEAN,
        exp.DType.DATE,
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPNTZ,
        exp.DType.TIMESTAMPTZ,
    ),
    *(exp.DType.UUID, exp.DType.VARBINARY, exp.DType.SMALLINT, exp.DType.TINYINT),
}
_CHECKS: dict[type[exp.Expr], Any] = {
    exp.Count: _count,
    exp.DataType: _data_type,
    exp.Distinct: _distinct,
    exp.Except: _set,
    exp.GroupConcat: _group_concat,
    exp.Intersect: _set,
    exp.Interval: _interval,
    exp.Join: _join,
    exp.Limit: _limit,
    exp.Table: _table,
    exp.Tuple: _tuple,
    exp.Union: _set,
    exp.WindowSpec: _window,
}
