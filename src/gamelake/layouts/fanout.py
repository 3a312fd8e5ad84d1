"""Joins that repeat rows: whether the output's grain still identifies one row after them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from gamelake.layouts.query import Problem, line_of, unique_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gamelake.model.steps import Output

Keys = list[set[str]]
ColumnOf = tuple[str, str]
"""Alias of a source, and a column of it; both lower case."""


def fan_outs(tree: exp.Query, inputs: Mapping[str, Output], output: Output) -> list[Problem]:
    """Joins of a qualified query after which two rows can share the declared grain, as far as that is certain.

    The grain determines columns; a source whose key is determined gives at most one row, and then all its
    columns are determined; equalities of joins and filters carry that on. A source that stays undetermined, whose
    key no condition mentions, repeats rows.
    """
    scopes = traverse_scope(tree)
    found = _joining(scopes[-1], [name.lower() for name in output.grain]) if scopes and output.grain else None
    if found is None:
        return []
    scope, grain = found
    reader = _Keys({name.lower(): made for name, made in inputs.items()}, set(output.slice_columns))
    return [*_repeats(scope, grain, reader, output)]


def _joining(scope: Scope, grain: Sequence[str]) -> tuple[Scope, list[exp.Expr]] | None:
    """The innermost select that only passes rows on to the result, and the grain as it sees it."""
    select = scope.expression
    if not isinstance(select, exp.Select) or scope.set_operation_scopes or _condenses(select):
        return None
    items = {item.output_name.lower(): item.unalias() for item in select.expressions}
    if not all(name in items for name in grain):
        return None
    made = [items[name] for name in grain]
    if select.args.get("joins"):
        return scope, made
    inner = [source for _, source in scope.selected_sources.values()]
    plain = [node.name.lower() for node in made if isinstance(node, exp.Column)]
    if len(inner) == 1 and isinstance(inner[0], Scope) and len(plain) == len(made):
        return None if select.args.get("where") else _joining(inner[0], plain)
    return None


def _condenses(select: exp.Select) -> bool:
    """True when it may give fewer rows than its joins do."""
    if any(select.args.get(key) for key in ("group", "distinct", "qualify", "having", "limit", "laterals")):
        return True
    return any(item.find(exp.AggFunc) and not item.find(exp.Window) for item in select.expressions)


def _repeats(scope: Scope, grain: Sequence[exp.Expr], reader: _Keys, output: Output) -> Iterator[Problem]:
    select = cast("exp.Select", scope.expression)
    kept = _kept_sources(select)
    keys = {alias.lower(): reader.of(source) for alias, (_, source) in scope.selected_sources.items()}
    if kept is None or not set(keys) >= kept:
        return
    facts = _Facts.of(select, kept)
    facts.known |= {_column(node) for item in grain for node in item.find_all(exp.Column)}
    # what the grain is taken from is trusted: a wrong grain without any join is for the audit to find
    first = {next(iter(item.find_all(exp.Column)), None) for item in grain}
    trusted = {_column(node)[0] for node in first if node is not None}
    open_sources = facts.undetermined({alias: keys[alias] for alias in kept}, trusted)
    if any(not keys[alias] for alias in open_sources):
        return  # nothing is known of its rows
    sources = {alias.lower(): source for alias, (_, source) in scope.selected_sources.items()}
    for alias in sorted(open_sources):
        if alias in facts.filtered or _filtered(sources[alias]):
            continue  # the filter may leave one row of each
        missing = [{name for name in key if (alias, name) not in facts.known} for key in keys[alias]]
        if all(not any((alias, name) in facts.mentioned for name in names) for names in missing):
            least = min(missing, key=lambda names: (len(names), sorted(names)))
            problem = (
                f"joining `{alias}` repeats rows: it has several for each "
                f"({', '.join(output.grain)}), which is the output's grain"
            )
            lacking = ", ".join(f"`{name}`" for name in sorted(least))
            hint = f"join it also on {lacking}, aggregate `{alias}` first, or add {lacking} to the grain"
            yield Problem(problem, _line_of_source(select, alias), hint)


def _filtered(source: object) -> bool:
    """True for a query that leaves rows out, at any depth."""
    return isinstance(source, Scope) and any(
        isinstance(part.expression, exp.Select)
        and any(part.expression.args.get(key) for key in ("where", "qualify", "having", "limit"))
        for part in source.traverse()
    )


def _kept_sources(select: exp.Select) -> set[str] | None:
    """Aliases whose rows the result has: all but those of SEMI and ANTI joins. None when a join is of another kind."""
    first = select.args.get("from_") or select.args.get("from")
    if first is None:
        return None
    kept = {first.this.alias_or_name.lower()}
    for join in select.args.get("joins") or []:
        if join.kind in {"SEMI", "ANTI"} or join.side in {"SEMI", "ANTI"}:
            continue
        if (
            join.method
            or join.kind not in {"", "INNER", "OUTER", "CROSS"}
            or isinstance(join.this, exp.Unnest)
        ):
            return None  # ASOF, POSITIONAL, unnest, …
        kept.add(join.this.alias_or_name.lower())
    return kept


def _line_of_source(select: exp.Select, alias: str) -> int:
    for join in select.args.get("joins") or []:
        if join.this.alias_or_name.lower() == alias:
            return line_of(join)
    first = select.args.get("from_") or select.args.get("from")
    return line_of(first) if first is not None else 1


@dataclass
class _Facts:
    """What the conditions of one select say of its columns."""

    known: set[ColumnOf] = field(default_factory=set)
    equal: list[tuple[ColumnOf, set[ColumnOf]]] = field(
        default_factory=list
    )  # column = expression over columns
    mentioned: set[ColumnOf] = field(default_factory=set)  # in conditions that are no such equality
    filtered: set[str] = field(default_factory=set)  # sources with a condition on nothing but themselves

    @classmethod
    def of(cls, select: exp.Select, kept: set[str]) -> _Facts:
        facts = cls()
        where = select.args.get("where")
        conditions = [join.args.get("on") for join in select.args.get("joins") or []]
        for condition in [where.this if where else None, *conditions]:
            for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
                facts._read(part.unnest() if part is not None else None, kept)
        return facts

    def _read(self, part: exp.Expr | None, kept: set[str]) -> None:
        if part is None:
            return
        used = {_column(node) for node in part.find_all(exp.Column)}
        if isinstance(part, exp.And):
            for inner in part.flatten():
                self._read(inner.unnest(), kept)
            return
        if len({alias for alias, _ in used}) == 1:
            self.filtered |= {alias for alias, _ in used}
        sides = [part.this, part.expression] if isinstance(part, exp.EQ | exp.NullSafeEQ) else []
        plain = [side for side in sides if isinstance(side, exp.Column)]
        for side in plain:
            other = sides[1] if side is sides[0] else sides[0]
            self.equal.append((_column(side), {_column(node) for node in other.find_all(exp.Column)}))
        if not plain or any(alias not in kept for alias, _ in used):
            self.mentioned |= used

    def undetermined(self, keys: Mapping[str, Keys], trusted: set[str]) -> set[str]:
        """Sources of which more than one row may meet; extends what is known on the way."""
        open_sources = set(keys)
        while True:
            before = len(self.known), len(open_sources)
            for column, others in self.equal:
                if others <= self.known:
                    self.known.add(column)
            for alias in sorted(open_sources):
                columns = {name for source, name in self.known if source == alias}
                if alias in trusted or any(key <= columns for key in keys[alias]):
                    open_sources.discard(alias)
                    named = {c for c, _ in self.equal} | {c for _, cs in self.equal for c in cs}
                    self.known |= {column for column in named if column[0] == alias}
            if (len(self.known), len(open_sources)) == before:
                return open_sources


def _column(node: exp.Column) -> ColumnOf:
    return node.table.lower(), node.name.lower()


class _Keys:
    """Sets of columns that identify a row of a source."""

    def __init__(self, inputs: Mapping[str, Output], constant: set[str]) -> None:
        self._inputs = inputs
        self._constant = constant

    def of(self, source: object) -> Keys:
        """Keys of a table or of a query; empty when none is known."""
        if isinstance(source, exp.Table):
            made = self._inputs.get(source.name.lower())
            if made is None or not made.grain:
                return []
            # one output slice reads only the input's slices that agree with it
            alike = self._constant & set(made.slice_columns)
            return [{name.lower() for name in made.grain if name not in alike}]
        return self._of_scope(source) if isinstance(source, Scope) else []

    def _of_scope(self, scope: Scope) -> Keys:
        select = scope.expression
        keys = unique_keys(scope)
        if not isinstance(select, exp.Select):
            return keys
        names: dict[str, str] = {}
        for item in select.expressions:
            made = item.unalias()
            if isinstance(made, exp.Column):
                names[made.name.lower()] = item.output_name.lower()
        sources = [source for _, source in scope.selected_sources.values()]
        alone = len(sources) == 1 and not select.args.get("joins") and not select.args.get("laterals")
        if alone and not select.args.get("group") and not select.find(exp.Unnest, exp.Explode):
            inherited = self.of(sources[0])
            keys += [{names[name] for name in key} for key in inherited if all(n in names for n in key)]
        return [*keys, *_numbered(select, names)]


def _numbered(select: exp.Select, names: Mapping[str, str]) -> Iterable[set[str]]:
    """`row_number() OVER (PARTITION BY k) AS n` makes (k, n) a key."""
    for item in select.expressions:
        window = item.unalias()
        if isinstance(window, exp.Window) and isinstance(window.this, exp.RowNumber):
            parts = window.args.get("partition_by") or []
            shown = [names.get(part.name.lower()) for part in parts if isinstance(part, exp.Column)]
            if len(shown) == len(parts) and all(shown):
                yield {name for name in shown if name} | {item.output_name.lower()}
