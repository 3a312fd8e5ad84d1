"""What the columns of a query mean, followed from the inputs to the result, and where meanings do not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from gamelake.layouts.query import Problem, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gamelake.model.schema import Schema, SemanticType

# Functions whose result means what their first argument means.
_KEEPS = (
    *(exp.Alias, exp.Paren, exp.Cast, exp.TryCast, exp.Neg, exp.Abs, exp.Round, exp.Ceil, exp.Floor),
    *(exp.Min, exp.Max, exp.Avg, exp.Median, exp.AnyValue, exp.First, exp.Last, exp.ArgMax, exp.ArgMin),
    *(exp.Filter, exp.Window, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue),
    *(exp.IgnoreNulls, exp.RespectNulls, exp.Distinct, exp.Nullif),
)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_DATES = {"DATE", "TIMESTAMP", "TIMESTAMPTZ", "DATETIME", "TIMESTAMPNTZ", "TIMESTAMPLTZ"}
_ADDED = {"money", "count"}  # kinds whose sum is of the same kind

Described = tuple["SemanticType", exp.Expr]


def meaning_problems(
    tree: exp.Query, schemas: Mapping[str, Schema], declared: Schema | None = None
) -> list[Problem]:
    """Every place of a qualified and typed query that mixes meanings.

    `schemas` holds the columns of each input by view name; `declared` those of the output.
    """
    reader = _Reader(schemas)
    scopes = traverse_scope(tree)
    for scope in scopes:
        reader.read(scope)
    if declared is not None and scopes:
        reader.compare_with(declared, scopes[-1])
    return sorted(set(reader.problems), key=lambda problem: problem.line)


class _Reader:
    """Reads the scopes of a query from the inside out."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.problems: list[Problem] = []
        self._tables = {
            name.lower(): {column.name.lower(): column.meaning for column in schema.columns}
            for name, schema in schemas.items()
        }
        self._results: dict[int, dict[str, SemanticType | None]] = {}
        self._known: dict[int, SemanticType | None] = {}
        self._scope: Scope

    def read(self, scope: Scope) -> None:
        """Meanings of one scope's result, and the problems inside of it."""
        self._scope = scope
        if scope.set_operation_scopes:
            self._results[id(scope.expression)] = self._united(scope)
            return
        if not isinstance(scope.expression, exp.Select):
            return
        own = {id(node) for other in scope.subquery_scopes for node in other.expression.walk()}
        for node in scope.expression.walk():
            if id(node) not in own and isinstance(node, exp.Binary | exp.Between | exp.In):
                self._examine(node)
        self._results[id(scope.expression)] = {
            item.output_name.lower(): self._of(item) for item in scope.expression.expressions
        }

    def compare_with(self, declared: Schema, scope: Scope) -> None:
        """The result against the meanings that the schema declares."""
        found = self._results.get(id(scope.expression), {})
        selects = cast("exp.Query", scope.expression).selects
        places = {item.output_name.lower(): item for item in selects}
        for column in declared.columns:
            meaning, made = column.meaning, found.get(column.name.lower())
            if meaning is not None and made is not None and _differ(meaning, made):
                text = f"`{column.name}` is declared `{meaning}`, and the SQL computes `{made}`"
                line = line_of(places.get(column.name.lower(), scope.expression))
                self.problems.append(Problem(text, line, _HINTS[meaning.kind]))

    def _united(self, scope: Scope) -> dict[str, SemanticType | None]:
        parts = [self._results.get(id(part.expression), {}) for part in scope.set_operation_scopes]
        if len(parts) != 2 or scope.expression.args.get("by_name"):
            return dict(parts[0]) if parts else {}
        selects = [cast("exp.Query", part.expression).selects for part in scope.set_operation_scopes]
        united: dict[str, SemanticType | None] = {}
        for (name, first), second, *items in zip(parts[0].items(), parts[1].values(), *selects, strict=False):
            described = [(m, item) for m, item in zip((first, second), items, strict=True) if m is not None]
            self._fit(described, f"the column `{name}` of a {type(scope.expression).__name__.upper()}")
            united[name] = first or second
        return united

    def _of(self, node: exp.Expr | None) -> SemanticType | None:
        if node is None:
            return None
        if id(node) not in self._known:
            self._known[id(node)] = None  # a circle has no meaning
            self._known[id(node)] = self._read(node)
        return self._known[id(node)]

    def _read(self, node: exp.Expr) -> SemanticType | None:
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, _KEEPS):
            return self._of(node.this)
        if isinstance(node, exp.Sum):
            summed = self._of(node.this)
            return summed if summed is not None and summed.kind in _ADDED else None
        if isinstance(node, exp.Count | exp.CountIf):
            return None
        if isinstance(node, exp.Coalesce | exp.Greatest | exp.Least):
            return self._together([node.this, *node.expressions], _name(node))
        if isinstance(node, exp.Case):
            branches = [branch.args.get("true") for branch in node.args["ifs"]]
            return self._together([*branches, node.args.get("default")], "CASE")
        if isinstance(node, exp.If):
            return self._together([node.args.get("true"), node.args.get("false")], "IF")
        if isinstance(node, exp.Add | exp.Sub):
            return self._sum(node)
        if isinstance(node, exp.Subquery):
            inner = self._results.get(id(node.this), {})
            return next(iter(inner.values())) if len(inner) == 1 else None
        return None

    def _column(self, column: exp.Column) -> SemanticType | None:
        scope: Scope | None = self._scope
        while scope is not None:
            source = scope.sources.get(column.table)
            if isinstance(source, Scope):
                return self._results.get(id(source.expression), {}).get(column.name.lower())
            if isinstance(source, exp.Table):
                return self._tables.get(source.name.lower(), {}).get(column.name.lower())
            scope = scope.parent
        return None

    def _together(self, nodes: Iterable[exp.Expr | None], where: str) -> SemanticType | None:
        described = self._described(node for node in nodes if node is not None)
        self._fit(described, where)
        return described[0][0] if described else None

    def _described(self, nodes: Iterable[exp.Expr]) -> list[Described]:
        return [(meaning, node) for node in nodes if (meaning := self._of(node)) is not None]

    def _sum(self, node: exp.Expr) -> SemanticType | None:
        left, right = self._of(node.this), self._of(node.expression)
        if left is not None and right is not None:
            return left if left.kind in _ADDED and left == right else None
        return left or right

    def _examine(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Mod):
            money = [d for d in self._described([node.this, node.expression]) if d[0].kind == "money"]
            self._fit(money, f"`{node.sql(dialect='duckdb', comments=False)}`")
        elif isinstance(node, _COMPARISONS):
            self._compared([node.this, node.expression], node)
        elif isinstance(node, exp.Between):
            self._compared([node.this, node.args["low"], node.args["high"]], node)
        elif isinstance(node, exp.In):
            self._compared([node.this, *node.expressions, *filter(None, [node.args.get("query")])], node)
        elif isinstance(node, exp.Div):
            self.problems += _divided(node)

    def _compared(self, nodes: Sequence[exp.Expr], whole: exp.Expr) -> None:
        text = f"`{_short(whole)}`"
        self._fit(self._described(nodes), text)
        kinds = [(node, _storage(node)) for node in nodes]
        day = next((node for node, kind in kinds if kind in _DATES), None)
        number = next((node for node, kind in kinds if kind == "INTEGER"), None)
        if day is not None and number is not None:
            problem = f"{text} compares the integer `{_short(number)}` with the date `{_short(day)}`"
            hint = "turn the integer into a date first, as `strptime(CAST(x AS VARCHAR), '%Y%m%d')` does"
            self.problems.append(Problem(problem, line_of(whole), hint))

    def _fit(self, described: Sequence[Described], where: str) -> None:
        for index, (meaning, _) in enumerate(described):
            for other, node in described[index + 1 :]:
                if _differ(meaning, other):
                    problem = f"{where} mixes `{meaning}` and `{other}`"
                    self.problems.append(Problem(problem, line_of(node), _HINTS[meaning.kind]))
                    return


_HINTS = {
    "money": "convert one of them with its rate first, and name the result's currency in the schema",
    "day": "compute both days in one zone, with `business_day(ts, zone)`",
    "id": "they identify different things: compare ids of one kind",
    "timestamp": None,
    "count": None,
    "level": None,
    "json": None,
    "list": None,
}


def _differ(one: SemanticType, other: SemanticType) -> bool:
    """Two kinds may meet (a count and a level); two currencies, zones or kinds of id may not."""
    return one.kind == other.kind and one.parameter != other.parameter


def _divided(node: exp.Div) -> Iterator[Problem]:
    if _storage(node.this) == "INTEGER" and _storage(node.expression) == "INTEGER":
        problem = (
            f"`{_short(node)}` divides integers: 3.5 on DuckDB and Spark, 3 on Trino and Postgres for 7 / 2"
        )
        hint = "write `CAST(a AS DOUBLE) / b` for the ratio, or `a // b` for the whole part"
        yield Problem(problem, line_of(node), hint)


def _storage(node: exp.Expr) -> str:
    """`INTEGER` for whole numbers of any width, else the type's name; empty when unknown."""
    kind = node.type
    if not isinstance(kind, exp.DataType):
        return ""
    if kind.this in exp.DataType.INTEGER_TYPES:
        return "INTEGER"
    return str(getattr(kind.this, "name", ""))


def _name(node: exp.Expr) -> str:
    return type(node).__name__.upper()


def _short(node: exp.Expr) -> str:
    text = node.sql(dialect="duckdb", comments=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
