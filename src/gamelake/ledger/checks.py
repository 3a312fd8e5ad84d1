"""History of checks: values, thresholds and samples of rows that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gamelake.ledger.part import LedgerPart
from gamelake.ledger.rows import CheckRow
from gamelake.ledger.tables import checks
from gamelake.model.checks import CheckKind, Severity
from gamelake.model.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.model.checks import CheckResult


class CheckLog(LedgerPart):
    """Every result of every check, kept also for slices that were not published."""

    def save_checks(
        self,
        run_id: str,
        step: str,
        dataset: str,
        slice: Slice,
        results: Sequence[CheckResult],
    ) -> None:
        """Add results of one audited slice; none = nothing happens. Failing ones add an event."""
        if not results:
            return
        rows = [self._values(run_id, step, dataset, slice, result) for result in results]
        failed = [result.name for result in results if not result.passed]
        with self._database.write() as connection:
            connection.execute(checks.insert(), rows)
            if failed:
                told = {"step": step, "dataset": dataset, "slice": str(slice), "checks": failed}
                self._event(connection, "check.failed", run_id, told)

    def checks(
        self, dataset: str | None = None, run_id: str | None = None, limit: int = 1000
    ) -> list[CheckRow]:
        """Results, newest first."""
        query = sa.select(checks).order_by(checks.c.seq.desc()).limit(limit)
        if dataset is not None:
            query = query.where(checks.c.dataset == dataset)
        if run_id is not None:
            query = query.where(checks.c.run_id == run_id)
        with self._database.read() as connection:
            return [_row(row) for row in connection.execute(query).mappings()]

    def _values(
        self,
        run_id: str,
        step: str,
        dataset: str,
        slice: Slice,
        result: CheckResult,
    ) -> dict[str, Any]:
        return {
            "run_id": run_id,
            "step": step,
            "dataset": dataset,
            "slice": str(slice),
            "name": result.name,
            "kind": result.kind.value,
            "severity": result.severity.value,
            "value": float(result.value),
            "threshold": result.threshold,
            "passed": result.passed,
            "sample": [_plain(row) for row in result.sample],
            "checked_at": self._clock.now(),
        }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values JSON can hold; dates, UUIDs and bytes become text."""
    return {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in row.items()
    }


def _row(row: sa.RowMapping) -> CheckRow:
    changed = {
        "slice": Slice.parse(row["slice"]),
        "kind": CheckKind(row["kind"]),
        "severity": Severity(row["severity"]),
        "sample": tuple(row["sample"]),
    }
    return CheckRow(**{**row, **changed})
