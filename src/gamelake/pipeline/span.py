"""The slices of a span of days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.model.slices import Slice


@dataclass(frozen=True)
class Span:
    """All slices from one day to another, both included, whatever their date column is called.

    `columns` are the names of date columns by which anything is sliced; a slice without one is in every span.
    """

    first: str
    last: str
    columns: frozenset[str]
    slices: tuple[Slice, ...] | None = None  # only what agrees with one of these; None = all

    def holds(self, part: Slice) -> bool:
        """True when no day of the slice lies outside.

        >>> from gamelake.model.slices import Slice
        >>> span = Span("2026-02-01", "2026-02-03", frozenset({"day"}))
        >>> span.holds(Slice.of(day="2026-02-03")), span.holds(Slice.of(day="2026-02-04")), span.holds(Slice())
        (True, False, True)
        >>> only = Span("2026-02-01", "2026-02-03", frozenset({"day"}), (Slice.of(team="a"),))
        >>> only.holds(Slice.of(day="2026-02-03", team="a")), only.holds(Slice.of(day="2026-02-03", team="b"))
        (True, False)
        """
        if self.slices is not None and not any(part.is_meant_by(wanted) for wanted in self.slices):
            return False
        return all(self.first <= value <= self.last for name, value in part.keys if name in self.columns)


def days_of(span: Span) -> Iterator[str]:
    """Every day of a span, in order.

    >>> list(days_of(Span("2026-02-27", "2026-03-01", frozenset())))
    ['2026-02-27', '2026-02-28', '2026-03-01']
    """
    day, last = date.fromisoformat(span.first), date.fromisoformat(span.last)
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
