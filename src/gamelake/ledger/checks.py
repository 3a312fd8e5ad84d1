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


_LOOKED_AT = 100_000  # newest results among which troubles are looked for


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

    def open_troubles(self, dataset: str | None = None, limit: int = 1000) -> list[CheckRow]:
        """Results that did not pass and that no later run of the same slice has replaced, newest first.

        Looks at the newest results only, so that a ledger of years answers as fast as one of days.
        """
        later = checks.alias("later")
        newest = sa.select(sa.func.coalesce(sa.func.max(checks.c.seq), 0)).scalar_subquery()
        replaced = (
            sa.select(sa.literal(1))
            .where(later.c.dataset == checks.c.dataset, later.c.seq > checks.c.seq)
            .where(later.c.slice == checks.c.slice)
            .where((later.c.run_id != checks.c.run_id) | (later.c.name == checks.c.name))
        )
        query = (
            sa.select(checks)
            .where(checks.c.seq > newest - _LOOKED_AT, checks.c.passed.is_(False), ~replaced.exists())
            .order_by(checks.c.seq.desc())
            .limit(limit)
        )
        if dataset is not None:
            query = query.where(checks.c.dataset == dataset)
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
