"""Checks as columns of one aggregate query over staged rows (`staged`), and as queries for rows that fail.

Each measure is `value` in the SELECT list; `sample` makes the query for failing rows out of the staged rows'
SELECT. What a check reads besides the staged rows stands there as a sub-select.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gamelake.engines.duckdb import quoted, scan
from gamelake.layouts.checks import age_of
from gamelake.layouts.template import literal
from gamelake.model.checks import Check, CheckKind
from gamelake.model.schema import ColumnType
from gamelake.model.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gamelake.model.steps import Output
    from gamelake.pipeline.evidence import Evidence

_ROUNDING = 1e-9  # share by which sums of doubles may differ: adding in another order gives other last digits


@dataclass(frozen=True)
class Measure:
    """One column of the aggregate query; with `repeats` every row's hash over a key instead."""

    check: Check
    value: str
    sample: Callable[[str], str] | None
    repeats: bool = False


@dataclass(frozen=True)
class Subject:
    """The rows to judge: their output and slice, the SELECT that reads them, and what else may be read."""

    output: Output
    slice: Slice
    source: str
    evidence: Evidence

    def is_double(self, *columns: str) -> bool:
        """True when any of the output's columns is a double."""
        return any(self.output.schema[name].type is ColumnType.DOUBLE for name in columns)


def measure_of(check: Check, subject: Subject) -> Measure:
    """The measure of a check; every kind but `row_count` has one."""
    match check.kind:
        case CheckKind.NOT_NULL:
            return not_null(check)
        case CheckKind.UNIQUE:
            return unique(check)
        case CheckKind.SQL:
            return predicate(check)
        case CheckKind.ACCEPTED_VALUES:
            values = ", ".join(literal(value) for value in check.spec["values"])
            return _violation(check, f"{quoted(check.spec['column'])} NOT IN ({values})")
        case CheckKind.RANGE:
            return _violation(check, _outside(check))
        case CheckKind.RELATIONSHIP:
            return _relationship(check, subject)
        case CheckKind.FRESHNESS:
            return _freshness(check, subject)
        case CheckKind.BALANCE:
            return _balance(check, subject)
        case CheckKind.CONSERVATION:
            return _conservation(check, subject)
        case CheckKind.ROW_COUNT:
            problem = "rows are counted by their writer"
            raise AssertionError(problem)


def not_null(check: Check) -> Measure:
    """Rows with a null in any of the columns."""
    return _violation(check, " OR ".join(f"{quoted(name)} IS NULL" for name in check.spec["columns"]))


def predicate(check: Check) -> Measure:
    """Rows of which a predicate is not true."""
    return _violation(check, f"({check.spec['predicate']}\n) IS NOT TRUE")


def unique(check: Check) -> Measure:
    """Rows whose key was there before; two keys may share a hash, so the sample has the last word."""
    columns = ", ".join(quoted(name) for name in check.spec["columns"])

    def sample(source: str) -> str:
        return f"SELECT {columns}, count(*) AS rows FROM {source} GROUP BY {columns} HAVING count(*) > 1"

    return Measure(check, f"hash({columns})", sample, repeats=True)


def _violation(check: Check, condition: str) -> Measure:
    def sample(source: str) -> str:
        return f"SELECT * FROM {source} WHERE {condition}"

    return Measure(check, f"count(*) FILTER ({condition})", sample)


def _outside(check: Check) -> str:
    column = quoted(check.spec["column"])
    low, high = check.spec.get("min"), check.spec.get("max")
    outside = [f"{column} < {literal(low)}"] if low is not None else []
    outside += [f"{column} > {literal(high)}"] if high is not None else []
    return " OR ".join(outside) or "false"


def _relationship(check: Check, subject: Subject) -> Measure:
    columns: Sequence[str] = check.spec["columns"]
    to: Sequence[str] = check.spec.get("to") or columns
    pairs = dict(zip(columns, to, strict=True))
    # a compared slice column decides which slices can hold the value, whatever it is called there
    part = Slice(tuple((pairs[name], value) for name, value in subject.slice.keys if name in pairs))
    other = subject.evidence.scan(check.spec["dataset"], part)
    there = f"SELECT {_list(to)} FROM ({other}) AS there WHERE {_all_set(to)}"
    value = f"({_list(columns)})" if len(columns) > 1 else quoted(columns[0])
    return _violation(check, f"{_all_set(columns)} AND {value} NOT IN ({there})")


def _freshness(check: Check, subject: Subject) -> Measure:
    column, now = quoted(check.spec["column"]), subject.evidence.now
    moment = f"TIMESTAMPTZ '{now.isoformat()}'"
    unit = age_unit(check)[0]
    # a day is as new as its end; without any value the newest is that of 1970
    end = " + INTERVAL 1 DAY" if subject.output.schema[check.spec["column"]].type is ColumnType.DATE else ""
    newest = f"coalesce(CAST(max({column}){end} AS TIMESTAMPTZ), TIMESTAMPTZ '1970-01-01 00:00:00+00')"
    return Measure(check, f"greatest(0, epoch({moment}) - epoch({newest})) / {unit}", None)


def age_unit(check: Check) -> tuple[float, float, str]:
    """Seconds in the unit of a freshness's limit, the limit in it, and its name.

    >>> age_unit(Check("c", CheckKind.FRESHNESS, {"max_age": "36h"}))
    (3600.0, 36.0, 'hours')
    """
    text = check.spec["max_age"].strip()
    seconds = age_of(text).total_seconds()
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}[text[-1]]
    return unit, seconds / unit, {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[text[-1]]


def _balance(check: Check, subject: Subject) -> Measure:
    spec = check.spec
    columns = [*spec["gain"], *spec["spend"], spec["balance"], *filter(None, [spec.get("opening")])]
    slack = spec.get("within")
    if slack is None:
        slack = _ROUNDING if subject.is_double(*columns) else 0
        slack = f"{slack!r} * greatest(1, abs({quoted(spec['balance'])}))"
    moved = f"{_total(spec['gain'])} - ({_total(spec['spend'])})"
    before = quoted(spec["opening"]) if "opening" in spec else "balance_before"
    wrong = f"coalesce(abs({moved} - ({quoted(spec['balance'])} - {before})) > {slack}, true)"
    if "opening" in spec:
        return _violation(check, wrong)

    def sample(source: str) -> str:
        rows = _with_row_before(check, subject, source)
        return f"SELECT * EXCLUDE (balance_staged, balance_row) FROM ({rows}) WHERE balance_staged AND balance_row > 1 AND {wrong}"

    return Measure(check, f"(SELECT count(*) FROM ({sample(f'({subject.source}) AS staged')}))", sample)


def _with_row_before(check: Check, subject: Subject, source: str) -> str:
    """Staged rows, and those of the slice before, each with the balance of the row before it in its key."""
    spec, output = check.spec, subject.output
    rows = f"SELECT *, true AS balance_staged FROM {source}"
    for part in subject.evidence.earlier(output, subject.slice, 1) if output.slice_columns else []:
        rows += f" UNION ALL SELECT *, false FROM ({scan(output.schema, part.files)})"
    # slice columns tell slices apart, not the holders of a balance
    keys = _list([name for name in spec["key"] if name not in output.slice_columns])
    order = ", ".join(["balance_staged", *(quoted(name) for name in spec.get("order", []))])
    window = f"OVER ({f'PARTITION BY {keys} ' if keys else ''}ORDER BY {order})"
    balance = quoted(spec["balance"])
    return f"SELECT *, lag({balance}) {window} AS balance_before, row_number() {window} AS balance_row FROM ({rows})"


def _conservation(check: Check, subject: Subject) -> Measure:
    spec, dataset = check.spec, check.spec["dataset"]
    here, there = spec["column"], spec.get("to") or spec["column"]
    groups = "".join(f"{quoted(name)}, " for name in spec.get("by") or [])
    limit, is_share = conservation_limit(check, subject.output, subject.evidence)
    doubles = ColumnType.DOUBLE in _kinds(check, subject.output, subject.evidence)
    add, zero = ("fsum", "CAST(0 AS DOUBLE)") if doubles else ("sum", "CAST(0 AS BIGINT)")
    other = subject.evidence.scan(dataset, subject.slice)
    # a union instead of a join: a group that only one side has counts, and so does the group of nulls
    rows = (
        f"SELECT {groups}{quoted(here)} AS sum_here, {zero} AS sum_there FROM ({subject.source}) AS staged"
        f" UNION ALL SELECT {groups}{zero}, {quoted(there)} FROM ({other}) AS there"
    )
    sums = (
        f"SELECT {groups}coalesce({add}(sum_here), 0) AS sum_here, coalesce({add}(sum_there), 0) AS sum_there"
        f" FROM ({rows}){' GROUP BY ALL' if groups else ''}"
    )
    difference = "abs(CAST(sum_here - sum_there AS DOUBLE))"
    if is_share:
        larger = "greatest(abs(CAST(sum_here AS DOUBLE)), abs(CAST(sum_there AS DOUBLE)))"
        difference = f"CASE WHEN {larger} = 0 THEN 0 ELSE {difference} / {larger} END"
    told = f"SELECT {groups}sum_here AS here, sum_there AS there, {difference} AS difference FROM ({sums})"

    def sample(_: str) -> str:
        return f"SELECT * FROM ({told}) WHERE difference > {limit!r} ORDER BY difference DESC"

    return Measure(check, f"(SELECT coalesce(max(difference), 0) FROM ({told}))", sample)


def conservation_limit(check: Check, output: Output, evidence: Evidence) -> tuple[float, bool]:
    """What the greatest difference may be, and whether it is a share."""
    tolerance = check.tolerance
    if tolerance.share is not None:
        return tolerance.share, True
    if tolerance.amount:
        return tolerance.amount, False
    return (_ROUNDING, True) if ColumnType.DOUBLE in _kinds(check, output, evidence) else (0.0, False)


def _kinds(check: Check, output: Output, evidence: Evidence) -> set[ColumnType]:
    """Types of the two columns whose sums are compared."""
    there = check.spec.get("to") or check.spec["column"]
    return {output.schema[check.spec["column"]].type, evidence.schema(check.spec["dataset"])[there].type}


def _list(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _all_set(names: Sequence[str]) -> str:
    return " AND ".join(f"{quoted(name)} IS NOT NULL" for name in names)


def _total(names: Sequence[str]) -> str:
    return " + ".join(f"coalesce({quoted(name)}, 0)" for name in names)
