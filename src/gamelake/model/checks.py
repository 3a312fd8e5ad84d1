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
    ROW_COUNT = "row_count"  # min, max
    SQL = "sql"  # predicate every row must satisfy


@dataclass(frozen=True)
class Check:
    """One declared check of an output."""

    name: str
    kind: CheckKind
    spec: dict[str, Any] = field(default_factory=dict, hash=False)
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class CheckResult:
    """What a check found: `value` counts violations (or is the row count), at most `threshold` pass."""

    name: str
    kind: CheckKind
    severity: Severity
    value: float
    threshold: str
    passed: bool
    sample: tuple[dict[str, Any], ...] = field(default=(), hash=False)
