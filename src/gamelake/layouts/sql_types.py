"""Types of SQL expressions as DuckDB sees them, by kind; only what a rewrite for another engine has to know."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.optimizer.annotate_types import annotate_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlglot.schema import MappingSchema


class Kind(StrEnum):
    """Types that behave alike."""

    INT = "int"
    DOUBLE = "double"
    DECIMAL = "decimal"
    TEXT = "text"
    BOOL = "bool"
    DATE = "date"
    LOCAL = "timestamp"
    INSTANT = "timestamptz"
    INTERVAL = "interval"
    UUID = "uuid"
    BLOB = "blob"
    NULL = "null"
    UNKNOWN = "unknown"


_D = exp.DType
_KINDS: dict[exp.DType, Kind] = {
    **dict.fromkeys((_D.TINYINT, _D.SMALLINT, _D.INT, _D.BIGINT, _D.INT128), Kind.INT),
    **dict.fromkeys((_D.DOUBLE, _D.FLOAT), Kind.DOUBLE),
    _D.DECIMAL: Kind.DECIMAL,
    **dict.fromkeys((_D.TEXT, _D.VARCHAR, _D.CHAR), Kind.TEXT),
    _D.BOOLEAN: Kind.BOOL,
    _D.DATE: Kind.DATE,
    **dict.fromkeys((_D.TIMESTAMP, _D.TIMESTAMPNTZ), Kind.LOCAL),
    _D.TIMESTAMPTZ: Kind.INSTANT,
    _D.INTERVAL: Kind.INTERVAL,
    _D.UUID: Kind.UUID,
    _D.VARBINARY: Kind.BLOB,
    _D.NULL: Kind.NULL,
}
TYPE_OF: dict[Kind, exp.DType] = {
    Kind.INT: _D.BIGINT,
    Kind.DOUBLE: _D.DOUBLE,
    Kind.DECIMAL: _D.DECIMAL,
    Kind.TEXT: _D.TEXT,
    Kind.BOOL: _D.BOOLEAN,
    Kind.DATE: _D.DATE,
    Kind.LOCAL: _D.TIMESTAMP,
    Kind.INSTANT: _D.TIMESTAMPTZ,
    Kind.INTERVAL: _D.INTERVAL,
    Kind.UUID: _D.UUID,
    Kind.BLOB: _D.VARBINARY,
    Kind.NULL: _D.NULL,
    Kind.UNKNOWN: _D.UNKNOWN,
}
TIMES = frozenset({Kind.DATE, Kind.LOCAL, Kind.INSTANT})
NUMBERS = frozenset({Kind.INT, Kind.DOUBLE, Kind.DECIMAL})
_WIDER = (Kind.INT, Kind.DECIMAL, Kind.DOUBLE)
_LATER = (Kind.DATE, Kind.LOCAL, Kind.INSTANT)


def annotate(tree: exp.Query, schema: MappingSchema) -> exp.Query:
    """Give every expression of a qualified query its type, in place."""
    known: Any = DuckDB.EXPRESSION_METADATA
    metadata: dict[Any, Any] = {**known, **{node: {"annotator": _typed(of)} for node, of in _RULES.items()}}
    return annotate_types(tree, schema=schema, dialect="duckdb", expression_metadata=metadata)


def kind(node: exp.Expr | None) -> Kind:
    """Kind of an annotated expression."""
    if isinstance(node, exp.Null):
        return Kind.NULL
    if node is None or node.type is None:
        return Kind.UNKNOWN
    found = node.type.this
    return _KINDS.get(found, Kind.UNKNOWN) if isinstance(found, exp.DType) else Kind.UNKNOWN


def kind_of_type(wanted: exp.DataType) -> Kind:
    """Kind of a type as it is written in a cast."""
    return _KINDS.get(wanted.this, Kind.UNKNOWN)


def common(nodes: Iterable[exp.Expr]) -> Kind:
    """The kind to which DuckDB brings values that meet in a comparison, a CASE or a list; UNKNOWN when none."""
    nodes = list(nodes)
    kinds = {kind(node) for node in nodes if not is_text_literal(node)} - {Kind.NULL}
    texts = any(is_text_literal(node) for node in nodes)
    if not kinds:
        return Kind.TEXT if texts else Kind.NULL
    if len(kinds) == 1:
        (only,) = kinds
        return only if not texts or only in {*TIMES, Kind.TEXT, Kind.UUID} else Kind.UNKNOWN
    for order in (_WIDER, _LATER):
        if kinds <= set(order) and (not texts or order is _LATER):
            return max(kinds, key=order.index)
    return Kind.UNKNOWN


def is_text_literal(node: exp.Expr) -> bool:
    """A text in quotes, which takes the type of whatever it meets."""
    return isinstance(node, exp.Literal) and bool(node.is_string)


def typed(node: exp.Expr, of: Kind) -> exp.Expr:
    """The node, said to be of that kind."""
    node.type = exp.DataType(this=TYPE_OF[of])
    return node


def _typed(of: Callable[[Any], Kind]) -> Callable[[Any, Any], Any]:
    def annotator(annotator: Any, node: Any) -> Any:
        return annotator._set_type(node, TYPE_OF[of(node)])  # noqa: SLF001 - how sqlglot's own rules do it

    return annotator


def _always(of: Kind) -> Callable[[Any], Kind]:
    return lambda _node: of


def _same(node: exp.Expr) -> Kind:
    return kind(node.this)


def _literal(node: exp.Literal) -> Kind:
    if node.is_string:
        return Kind.TEXT
    if node.is_int:
        return Kind.INT
    return Kind.DOUBLE if "e" in node.this.lower() else Kind.DECIMAL


def _arithmetic(node: exp.Binary) -> Kind:
    return common([node.left, node.right])


def _sum_of_times(node: exp.Binary) -> Kind:
    left, right = kind(node.left), kind(node.right)
    if isinstance(node, exp.Add) and left not in TIMES and right in TIMES:
        left, right = right, left
    if left not in TIMES:
        return Kind.INTERVAL if Kind.INTERVAL in {left, right} else _arithmetic(node)
    if right is Kind.INTERVAL:
        return Kind.LOCAL if left is Kind.DATE else left
    if right is Kind.INT:
        return Kind.DATE if left is Kind.DATE else Kind.UNKNOWN
    return Kind.INT if left is right is Kind.DATE else Kind.INTERVAL


def _sum(node: exp.Sum) -> Kind:
    inner = _inner(node)
    found = kind(inner)
    return Kind.INT if found is Kind.BOOL else found


def _inner(node: exp.Expr) -> exp.Expr:
    """Argument of an aggregate, behind DISTINCT and ORDER BY.

    sqlglot keeps `sum(DISTINCT x)` as a Distinct with one expression.
    """
    found = node.this
    while isinstance(found, exp.Order | exp.Distinct):
        found = found.expressions[0] if isinstance(found, exp.Distinct) else found.this
    assert isinstance(found, exp.Expr)
    return found


def _extreme(node: exp.Expr) -> Kind:
    return kind(_inner(node))


def _case(node: exp.Case) -> Kind:
    results = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    return common([*results, default] if default is not None else results)


def _if(node: exp.If) -> Kind:
    if isinstance(node.parent, exp.Case):
        return kind(node.args["true"])
    branches = [node.args["true"], node.args.get("false")]
    return common([branch for branch in branches if branch is not None])


def _alternatives(node: exp.Expr) -> Kind:
    return common([node.this, *node.expressions])


def _nullif(node: exp.Nullif) -> Kind:
    return kind(node.this)


def _rounded(node: exp.Expr) -> Kind:
    return kind(node.this)


def _zoned(node: exp.AtTimeZone) -> Kind:
    return Kind.LOCAL if kind(node.this) is Kind.INSTANT else Kind.INSTANT


def _truncated(node: exp.Expr) -> Kind:
    return Kind.INSTANT if kind(node.this) is Kind.INSTANT else Kind.LOCAL


def _unix_to_time(node: exp.UnixToTime) -> Kind:
    return Kind.INT if kind(node.this) in TIMES else Kind.LOCAL


def _anonymous(node: exp.Anonymous) -> Kind:
    name = node.name.lower()
    if name.startswith("to_"):
        return Kind.INTERVAL
    return Kind.INT if name in {"epoch_us", "date_part"} else Kind.UNKNOWN


def _lagged(node: exp.Lag | exp.Lead) -> Kind:
    default = node.args.get("default")
    return common([node.this] if default is None else [node.this, default])


_RULES: Mapping[type[exp.Expr], Callable[[Any], Kind]] = {
    exp.Add: _sum_of_times,
    exp.Anonymous: _anonymous,
    exp.ArgMax: _same,
    exp.ArgMin: _same,
    exp.AtTimeZone: _zoned,
    exp.Avg: _always(Kind.DOUBLE),
    exp.BitwiseAnd: _arithmetic,
    exp.BitwiseOr: _arithmetic,
    exp.BitwiseXor: _arithmetic,
    exp.BitwiseNot: _same,
    exp.Case: _case,
    exp.Ceil: _rounded,
    exp.Coalesce: _alternatives,
    exp.Concat: _always(Kind.TEXT),
    exp.ConcatWs: _always(Kind.TEXT),
    exp.Count: _always(Kind.INT),
    exp.CountIf: _always(Kind.INT),
    exp.CumeDist: _always(Kind.DOUBLE),
    exp.DateDiff: _always(Kind.INT),
    exp.DateFromParts: _always(Kind.DATE),
    exp.DateTrunc: _truncated,
    exp.DenseRank: _always(Kind.INT),
    exp.Div: _always(Kind.DOUBLE),
    exp.DPipe: _always(Kind.TEXT),
    exp.Extract: lambda node: Kind.DOUBLE if node.name.upper() == "EPOCH" else Kind.INT,
    exp.FirstValue: _same,
    exp.Floor: _rounded,
    exp.Greatest: _alternatives,
    exp.GroupConcat: _always(Kind.TEXT),
    exp.Grouping: _always(Kind.INT),
    exp.If: _if,
    exp.IntDiv: _arithmetic,
    exp.Interval: _always(Kind.INTERVAL),
    exp.Lag: _lagged,
    exp.LastDay: _always(Kind.DATE),
    exp.LastValue: _same,
    exp.Lead: _lagged,
    exp.Least: _alternatives,
    exp.Left: _always(Kind.TEXT),
    exp.Literal: _literal,
    exp.Lower: _always(Kind.TEXT),
    exp.Max: _extreme,
    exp.MD5: _always(Kind.TEXT),
    exp.Median: _always(Kind.DOUBLE),
    exp.Min: _extreme,
    exp.Mod: _arithmetic,
    exp.Mul: _arithmetic,
    exp.NthValue: _same,
    exp.Ntile: _always(Kind.INT),
    exp.Nullif: _nullif,
    exp.Pad: _always(Kind.TEXT),
    exp.PercentileCont: _always(Kind.DOUBLE),
    exp.PercentRank: _always(Kind.DOUBLE),
    exp.Pow: _always(Kind.DOUBLE),
    exp.Rank: _always(Kind.INT),
    exp.RegexpExtract: _always(Kind.TEXT),
    exp.RegexpReplace: _always(Kind.TEXT),
    exp.Repeat: _always(Kind.TEXT),
    exp.Replace: _always(Kind.TEXT),
    exp.Right: _always(Kind.TEXT),
    exp.Round: _rounded,
    exp.RowNumber: _always(Kind.INT),
    exp.SHA2: _always(Kind.TEXT),
    exp.Sign: _always(Kind.INT),
    exp.SplitPart: _always(Kind.TEXT),
    exp.Sub: _sum_of_times,
    exp.Substring: _always(Kind.TEXT),
    exp.Sum: _sum,
    exp.TimestampTrunc: _truncated,
    exp.TimeToStr: _always(Kind.TEXT),
    exp.TimeToUnix: _always(Kind.DOUBLE),
    exp.Trim: _always(Kind.TEXT),
    exp.UnixToTime: _unix_to_time,
    exp.Upper: _always(Kind.TEXT),
    **dict.fromkeys((exp.Paren, exp.Neg, exp.Abs, exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.Window), _same),
    **dict.fromkeys((exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Sqrt), _always(Kind.DOUBLE)),
    **dict.fromkeys(
        (exp.Year, exp.Quarter, exp.Month, exp.Week, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfWeekIso,
         exp.DayOfYear, exp.Hour, exp.Minute, exp.Second, exp.Length, exp.StrPosition), _always(Kind.INT)
    ),
}  # fmt: skip
