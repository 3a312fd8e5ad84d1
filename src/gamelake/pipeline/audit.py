"""All checks of one output over its staged files, in one aggregate query.

Only uniqueness that the SQL does not prove is measured apart, by sorting hashes of the key.
What the files' footers already prove (no nulls, one slice value) is not asked again. The same pass
adds up a hash of every row: a content hash that does not depend on the order of rows. Files written from
Arrow need none: their bytes depend on nothing but their rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from gamelake.engines.duckdb import quoted, scan
from gamelake.layouts.template import literal
from gamelake.model.checks import Check, CheckKind, CheckResult, Severity
from gamelake.model.steps import OnEmpty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.engines.base import Session, Written
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output

_SAMPLE_ROWS = 5
EMPTY_HASH = "0:0"


@dataclass(frozen=True)
class Audit:
    """What the audit of one slice found."""

    rows: int
    content_hash: str
    results: tuple[CheckResult, ...]

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        """Failed checks that keep the slice from being published."""
        return tuple(r for r in self.results if not r.passed and r.severity is Severity.ERROR)


@dataclass(frozen=True)
class _Measure:
    """One column of the aggregate query: `value` counts violations, `sample` selects them."""

    check: Check
    value: str  # of every row's hash over the key, when `repeats`
    sample: str
    repeats: bool = False
    least: float = 0
    most: float | None = 0


def audit(
    session: Session,
    output: Output,
    for_slice: Slice,
    written: Sequence[Written],
    *,
    content_hash: str | None = None,
) -> Audit:
    """Check the staged rows of one slice. No files = no rows: then only the row count is judged.

    With a known content hash (given, or of files whose bytes tell), and nothing left to measure, no row is read.
    """
    rows = sum(part.file.rows for part in written)
    counted = [_row_count(check, rows) for check in output.checks if check.kind is CheckKind.ROW_COUNT]
    if output.on_empty is OnEmpty.FAIL and rows == 0:
        counted.append(_result(Check("not empty", CheckKind.ROW_COUNT), 0, 1, None))
    if not written:
        return Audit(0, EMPTY_HASH, tuple(counted))
    content_hash = content_hash or _digest(written, rows)
    source = f"({scan(output.schema, [part.file.path for part in written])}) AS staged"
    measures = _measures(output, for_slice, written)
    asked = [f"{measure.value} AS m{i}" for i, measure in enumerate(measures) if not measure.repeats]
    if content_hash is None:
        asked.append(f"{_row_hash(output)} AS content_hash")
    found = session.one_row(f"SELECT {', '.join(asked)} FROM {source}") if asked else {}
    for i, measure in enumerate(measures):
        if measure.repeats:
            found[f"m{i}"] = session.repeats(f"SELECT {measure.value} FROM {source}", rows)
    results = [_judge(session, measure, found[f"m{i}"], source) for i, measure in enumerate(measures)]
    proven = [_proven(check) for check in _implied(output, for_slice, written)[1]]
    content_hash = content_hash or f"{rows}:{found['content_hash']}"
    return Audit(rows, content_hash, (*counted, *proven, *results))


def shrink_result(output: Output, rows: int, rows_before: int) -> CheckResult:
    """The guard of `snapshot_replace`: a table does not lose most of its rows by accident."""
    least = int(rows_before * output.allow_shrink)
    return _result(Check("not shrunk", CheckKind.ROW_COUNT), rows, least, None)


def explain_failures(output: Output, for_slice: Slice, results: Sequence[CheckResult]) -> str:
    """One sentence for each failed check, for messages and for the ledger."""
    told = [f"check `{r.name}` found {r.value:g}, expected {r.threshold}" for r in results]
    return f"{output.dataset} {for_slice}: {'; '.join(told)}"


def _digest(written: Sequence[Written], rows: int) -> str | None:
    """Content hash of files whose bytes tell their rows; None when one of them does not."""
    digests = [part.digest for part in written if part.digest is not None]
    if len(digests) < len(written):
        return None
    return f"{rows}:{blake2b('/'.join(digests).encode(), digest_size=16).hexdigest()}"


def _row_hash(output: Output) -> str:
    """Sum of the rows' hashes: the same for the same rows in any order, and duplicates count."""
    columns = ", ".join(f"staged.{quoted(name)}" for name in output.schema.names)
    return f"CAST(sum(hash({columns})) AS VARCHAR)"


def _measures(output: Output, for_slice: Slice, written: Sequence[Written]) -> list[_Measure]:
    unproven, _ = _implied(output, for_slice, written)
    if output.grain and not output.grain_proven:
        unproven.append(_unique(Check("grain is unique", CheckKind.UNIQUE, {"columns": list(output.grain)})))
    return unproven + [_declared(c) for c in output.checks if c.kind is not CheckKind.ROW_COUNT]


def _implied(
    output: Output, for_slice: Slice, written: Sequence[Written]
) -> tuple[list[_Measure], list[Check]]:
    """What schema and slice demand: measures still to take, and checks the footers have settled."""
    measures: list[_Measure] = []
    settled: list[Check] = []
    required = [column.name for column in output.schema.columns if not column.nullable]
    open_columns = [name for name in required if any(_nulls(part, name) != 0 for part in written)]
    if required:
        check = Check("required columns are set", CheckKind.NOT_NULL, {"columns": open_columns or required})
        (measures.append(_not_null(check)) if open_columns else settled.append(check))
    if for_slice.keys:
        predicate = " AND ".join(
            f"{quoted(name)} = CAST({literal(value)} AS {output.schema[name].type.sql})"
            for name, value in for_slice.keys
        )
        check = Check("rows belong to the slice", CheckKind.SQL, {"predicate": predicate})
        constant = all(_is_constant(part, name, value) for part in written for name, value in for_slice.keys)
        (settled.append(check) if constant else measures.append(_predicate(check)))
    return measures, settled


def _nulls(part: Written, name: str) -> int | None:
    facts = part.facts.get(name)
    return facts.nulls if facts else None


def _is_constant(part: Written, name: str, value: str) -> bool:
    facts = part.facts.get(name)
    return facts is not None and facts.nulls == 0 and facts.least == facts.greatest == value


def _declared(check: Check) -> _Measure:
    match check.kind:
        case CheckKind.NOT_NULL:
            return _not_null(check)
        case CheckKind.UNIQUE:
            return _unique(check)
        case CheckKind.SQL:
            return _predicate(check)
        case CheckKind.ACCEPTED_VALUES:
            values = ", ".join(literal(value) for value in check.spec["values"])
            return _violation(check, f"{quoted(check.spec['column'])} NOT IN ({values})")
        case CheckKind.RANGE:
            column = quoted(check.spec["column"])
            low, high = check.spec.get("min"), check.spec.get("max")
            outside = [f"{column} < {literal(low)}"] if low is not None else []
            outside += [f"{column} > {literal(high)}"] if high is not None else []
            return _violation(check, " OR ".join(outside) or "false")
        case _:
            problem = f"no measure for a check of kind {check.kind}"
            raise AssertionError(problem)


def _not_null(check: Check) -> _Measure:
    return _violation(check, " OR ".join(f"{quoted(name)} IS NULL" for name in check.spec["columns"]))


def _predicate(check: Check) -> _Measure:
    return _violation(check, f"({check.spec['predicate']}\n) IS NOT TRUE")


def _violation(check: Check, condition: str) -> _Measure:
    return _Measure(check, f"count(*) FILTER ({condition})", f"SELECT * FROM {{source}} WHERE {condition}")


def _unique(check: Check) -> _Measure:
    columns = ", ".join(quoted(name) for name in check.spec["columns"])
    # two keys may share a hash: a repeat found is looked at again by the sample
    sample = f"SELECT {columns}, count(*) AS rows FROM {{source}} GROUP BY {columns} HAVING count(*) > 1"
    return _Measure(check, f"hash({columns})", sample, repeats=True)


def _judge(session: Session, measure: _Measure, value: int, source: str) -> CheckResult:
    if value <= (measure.most or 0):
        return _result(measure.check, value, None, 0)
    sample = session.rows(f"{measure.sample.replace('{source}', source)} LIMIT {_SAMPLE_ROWS}")
    if not sample and measure.check.kind is CheckKind.UNIQUE:
        value = 0  # two keys shared a hash, and none was there twice
    return _result(measure.check, value, None, 0, tuple(sample))


def _proven(check: Check) -> CheckResult:
    return _result(check, 0, None, 0)


def _row_count(check: Check, rows: int) -> CheckResult:
    return _result(check, rows, check.spec.get("min"), check.spec.get("max"))


def _result(
    check: Check,
    value: float,
    least: float | None,
    most: float | None,
    sample: tuple[dict[str, Any], ...] = (),
) -> CheckResult:
    passed = (least is None or value >= least) and (most is None or value <= most)
    return CheckResult(check.name, check.kind, check.severity, value, _threshold(least, most), passed, sample)


def _threshold(least: float | None, most: float | None) -> str:
    """Bounds in words.

    >>> _threshold(1, None), _threshold(None, 0), _threshold(1, 5)
    ('at least 1', '0', '1 to 5')
    """
    if least is None:
        return "any" if most is None else f"{most:g}" if most == 0 else f"at most {most:g}"
    return f"at least {least:g}" if most is None else f"{least:g} to {most:g}"
