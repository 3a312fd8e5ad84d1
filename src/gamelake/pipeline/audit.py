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

from gamelake.engines.base import SLICE_DIGEST
from gamelake.engines.duckdb import quoted, scan
from gamelake.engines.outside import Part, outside_scan
from gamelake.layouts.template import literal
from gamelake.model.checks import Check, CheckKind, CheckResult, Severity
from gamelake.model.steps import OnEmpty
from gamelake.pipeline.evidence import compares
from gamelake.pipeline.measures import (
    Measure,
    Subject,
    age_unit,
    conservation_limit,
    measure_of,
    not_null,
    predicate,
    unique,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.engines.base import Session, Written
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.pipeline.evidence import Evidence

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


def audit(
    session: Session,
    output: Output,
    for_slice: Slice,
    written: Sequence[Written],
    *,
    evidence: Evidence,
    content_hash: str | None = None,
) -> Audit:
    """Check the staged rows of one slice. No files = no rows, and then only sums and counts are judged.

    With a known content hash (given, or of files whose bytes tell), and nothing left to measure, no row is read.
    """
    rows = sum(part.file.rows for part in written)
    counted = [
        _row_count(check, rows, output, for_slice, evidence)
        for check in output.checks
        if check.kind is CheckKind.ROW_COUNT
    ]
    if output.on_empty is OnEmpty.FAIL and rows == 0:
        counted.append(_bounded(Check("not empty", CheckKind.ROW_COUNT), 0, 1, None))
    files = tuple(part.file.path for part in written)
    source = (
        outside_scan(output.schema, [Part(for_slice, files)])
        if output.in_place
        else scan(output.schema, files)
    )
    subject = Subject(output, for_slice, source, evidence)
    measures, settled = _measures(subject, written)
    content_hash = content_hash or _digest(written, rows)
    found = _measured(session, subject, measures, rows, hashed=content_hash is None and rows > 0)
    results = [_judge(session, measure, found[f"m{i}"], subject, rows) for i, measure in enumerate(measures)]
    if rows == 0:
        content_hash = EMPTY_HASH
    elif content_hash is None:
        content_hash = f"{rows}:{found['content_hash']}"
    return Audit(rows, content_hash, (*counted, *map(_clean, settled), *results))


def _measured(
    session: Session, subject: Subject, measures: Sequence[Measure], rows: int, *, hashed: bool
) -> dict[str, Any]:
    """Every measure by name, from one query; keys are counted apart from it."""
    asked = [f"{measure.value} AS m{i}" for i, measure in enumerate(measures) if not measure.repeats]
    if hashed:
        asked.append(f"{_row_hash(subject.output)} AS content_hash")
    source = f"({subject.source}) AS staged"
    if asked:  # sub-selects alone would give a row for each row
        asked.append("count(*) AS rows")
    found = session.one_row(f"SELECT {', '.join(asked)} FROM {source}") if asked else {}
    for i, measure in enumerate(measures):
        if measure.repeats:
            found[f"m{i}"] = session.repeats(f"SELECT {measure.value} FROM {source}", rows)
    return found


def shrink_result(output: Output, rows: int, rows_before: int) -> CheckResult:
    """The guard of `snapshot_replace`: a table does not lose most of its rows by accident."""
    least = int(rows_before * output.allow_shrink)
    return _bounded(Check("not shrunk", CheckKind.ROW_COUNT), rows, least, None)


def explain_failures(output: Output, for_slice: Slice, results: Sequence[CheckResult]) -> str:
    """One sentence for each failed check, for messages and for the ledger."""
    told = [f"check `{r.name}` found {r.value:g}, expected {r.threshold}" for r in results]
    return f"{output.dataset} {for_slice}: {'; '.join(told)}"


def _digest(written: Sequence[Written], rows: int) -> str | None:
    """Content hash of files whose bytes tell their rows; None when one of them does not."""
    digests = [part.digest for part in written if part.digest is not None]
    if len(digests) < len(written):
        return None
    if digests and digests[0].startswith(SLICE_DIGEST):
        return f"{rows}:{digests[0].removeprefix(SLICE_DIGEST)}"
    return f"{rows}:{blake2b('/'.join(digests).encode(), digest_size=16).hexdigest()}"


def _row_hash(output: Output) -> str:
    """Sum of the rows' hashes: the same for the same rows in any order, and duplicates count."""
    columns = ", ".join(f"staged.{quoted(name)}" for name in output.schema.names)
    return f"CAST(sum(hash({columns})) AS VARCHAR)"


def _measures(subject: Subject, written: Sequence[Written]) -> tuple[list[Measure], list[Check]]:
    """What is left to measure, and checks that are settled without reading a row."""
    output = subject.output
    asked, settled = _implied(output, subject.slice, written) if written else ([], [])
    declared = [check for check in output.checks if check.kind is not CheckKind.ROW_COUNT]
    if not written:  # no row breaks a rule about rows; a sum that is missing here may be there
        settled += [check for check in declared if check.kind is not CheckKind.CONSERVATION]
        declared = [check for check in declared if check.kind is CheckKind.CONSERVATION]
    elif output.grain and not output.grain_proven:
        asked.append(unique(Check("grain is unique", CheckKind.UNIQUE, {"columns": list(output.grain)})))
    return asked + [measure_of(check, subject) for check in declared], settled


def _implied(
    output: Output, for_slice: Slice, written: Sequence[Written]
) -> tuple[list[Measure], list[Check]]:
    """What schema and slice demand: measures still to take, and checks the footers have settled."""
    measures: list[Measure] = []
    settled: list[Check] = []
    required = [column.name for column in output.schema.columns if not column.nullable]
    open_columns = [name for name in required if any(_nulls(part, name) != 0 for part in written)]
    if required:
        check = Check("required columns are set", CheckKind.NOT_NULL, {"columns": open_columns or required})
        (measures.append(not_null(check)) if open_columns else settled.append(check))
    if for_slice.keys:
        condition = " AND ".join(
            f"{quoted(name)} = CAST({literal(value)} AS {output.schema[name].type.sql})"
            for name, value in for_slice.keys
        )
        check = Check("rows belong to the slice", CheckKind.SQL, {"predicate": condition})
        constant = all(_is_constant(part, name, value) for part in written for name, value in for_slice.keys)
        (settled.append(check) if constant else measures.append(predicate(check)))
    return measures, settled


def _nulls(part: Written, name: str) -> int | None:
    facts = part.facts.get(name)
    return facts.nulls if facts else None


def _is_constant(part: Written, name: str, value: str) -> bool:
    facts = part.facts.get(name)
    return facts is not None and facts.nulls == 0 and facts.least == facts.greatest == value


def _judge(session: Session, measure: Measure, value: float, subject: Subject, rows: int) -> CheckResult:
    check = measure.check
    if check.kind is CheckKind.FRESHNESS:
        _, limit, unit = age_unit(check)
        return _result(check, round(value, 3), f"at most {limit:g} {unit}", passed=value <= limit)
    if check.kind is CheckKind.CONSERVATION:
        limit, is_share = conservation_limit(check, subject.output, subject.evidence)
        told = f"at most {_percent(limit)} of the sum" if is_share else _threshold(None, limit)
    else:
        limit = check.tolerance.limit(rows)
        share = check.tolerance.share
        told = _threshold(None, limit) if share is None else f"at most {_percent(share)} of the rows"
    sample: list[dict[str, Any]] = []
    if value and measure.sample is not None:
        sample = session.rows(f"{measure.sample(f'({subject.source}) AS staged')} LIMIT {_SAMPLE_ROWS}")
        if not sample and measure.repeats:
            value = 0  # two keys shared a hash, and none was there twice
    return _result(check, value, told, tuple(sample), passed=value <= limit)


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def _clean(check: Check) -> CheckResult:
    """The result of a check that no row can break."""
    if check.kind is CheckKind.FRESHNESS:
        return _result(check, 0, "no rows, so none is too old", passed=True)
    return _result(check, 0, _threshold(None, 0), passed=True)


def _row_count(check: Check, rows: int, output: Output, for_slice: Slice, evidence: Evidence) -> CheckResult:
    spec = check.spec
    if not compares(spec):
        return _bounded(check, rows, spec.get("min"), spec.get("max"))
    before = evidence.earlier(output, for_slice, spec.get("previous", 1))
    usual = sum(part.rows for part in before) / len(before) if before else 0
    if not usual:
        return _result(check, rows, "any: there are no earlier rows to compare with", passed=True)
    least, most = spec.get("min_ratio"), spec.get("max_ratio")
    ratio = rows / usual
    passed = (least is None or ratio >= least) and (most is None or ratio <= most)
    told = f"{_threshold(least, most)} times the {usual:g} rows before"
    return _result(check, round(ratio, 4), told, passed=passed)


def _bounded(check: Check, value: float, least: float | None, most: float | None) -> CheckResult:
    passed = (least is None or value >= least) and (most is None or value <= most)
    return _result(check, value, _threshold(least, most), passed=passed)


def _result(
    check: Check, value: float, threshold: str, sample: tuple[dict[str, Any], ...] = (), *, passed: bool
) -> CheckResult:
    return CheckResult(check.name, check.kind, check.severity, value, threshold, passed, sample)


def _threshold(least: float | None, most: float | None) -> str:
    """Bounds in words.

    >>> _threshold(1, None), _threshold(None, 0), _threshold(1, 5)
    ('at least 1', '0', '1 to 5')
    """
    if least is None:
        return "any" if most is None else f"{most:g}" if most == 0 else f"at most {most:g}"
    return f"at least {least:g}" if most is None else f"{least:g} to {most:g}"
