"""Checks: what must hold of staged rows before anybody sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """An `error` keeps the target as it was; a `warn` is shown and published."""

    ERROR = "error"
    WARN = "warn"


class CheckKind(StrEnum):
    """Closed set of checks; `spec` holds the parameters each takes."""

    NOT_NULL = "not_null"  # columns
    UNIQUE = "unique"  # columns
    ACCEPTED_VALUES = "accepted_values"  # column, values
    RANGE = "range"  # column, min, max
    ROW_COUNT = "row_count"  # min, max, or min_ratio, max_ratio, previous
    RELATIONSHIP = "relationship"  # columns, dataset, to
    FRESHNESS = "freshness"  # column, max_age
    SQL = "sql"  # predicate every row must satisfy
    BALANCE = "balance"  # gain, spend, balance, and opening, or key and order; within
    CONSERVATION = "conservation"  # column, dataset, to, by


@dataclass(frozen=True)
class Tolerance:
    """How much a check lets pass: `share` of the rows (or of a sum), otherwise an `amount` of them.

    >>> Tolerance(share=0.01).limit(250)
    2.5
    """

    amount: float = 0.0
    share: float | None = None

    def limit(self, whole: float) -> float:
        """The greatest violation that passes, where `whole` is all there is."""
        return self.amount if self.share is None else self.share * abs(whole)


@dataclass(frozen=True)
class Check:
    """One declared check of an output."""

    name: str
    kind: CheckKind
    spec: dict[str, Any] = field(default_factory=dict, hash=False)
    severity: Severity = Severity.ERROR
    tolerance: Tolerance = Tolerance()

    @property
    def dataset(self) -> str | None:
        """The other dataset whose rows this check reads; None when it looks at its own only."""
        return self.spec.get("dataset")


@dataclass(frozen=True)
class CheckResult:
    """What a check found, and the words for what would pass.

    `value` counts violations, except for a row count (the rows, or their ratio to earlier slices), a freshness
    (the age in the unit of its limit) and a conservation (the greatest difference).
    """

    name: str
    kind: CheckKind
    severity: Severity
    value: float
    threshold: str
    passed: bool
    sample: tuple[dict[str, Any], ...] = field(default=(), hash=False)
