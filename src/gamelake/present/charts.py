"""Charts as data: what to show, not how; the browser draws it in the colours of the theme.

Every chart also has a table of the same figures, for those who cannot or do not want to look.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from gamelake.present import formats

if TYPE_CHECKING:
    from collections.abc import Sequence

Form = Literal["number", "percent", "clock", "count"]
Mark = Literal["line", "area", "bar", "points"]


@dataclass(frozen=True)
class Series:
    """One line, area or row of bars; `color` names a theme colour such as `accent`."""

    name: str
    values: Sequence[float | None]
    color: str = "accent"
    mark: Mark = "line"
    form: Form = "number"
    right: bool = False  # measured on the right-hand axis
    stack: str = ""
    panel: Literal[0, 1] = 0  # 1 = a lower panel of its own over the same x axis


@dataclass(frozen=True)
class Point:
    """Something that happened at one place of the x axis."""

    at: float
    label: str
    color: str = "bad"
    icon: str = ""


@dataclass(frozen=True)
class Band:
    """A named stretch of the x axis, such as a phase."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart over one x axis: numbers (with `x_form`) or labels."""

    title: str
    series: Sequence[Series]
    x: Sequence[float] = ()
    labels: Sequence[str] = ()
    x_form: Form = "clock"
    points: Sequence[Point] = ()
    points_name: str = "Marks"
    bands: Sequence[Band] = ()
    note: str = ""
    height: Literal["small", "medium", "large"] = "medium"

    def to_json(self) -> dict[str, Any]:
        """What the browser draws."""
        return asdict(self)

    def table(self, limit: int = 400) -> tuple[list[str], list[list[str]]]:
        """Header and rows with the same figures; long charts are thinned to every n-th place."""
        forms = {"number": formats.number, "count": formats.count, "clock": formats.clock}
        heads = ["Time" if self.x else "", *(series.name for series in self.series)]
        places = [forms[self.x_form](x) for x in self.x] if self.x else list(self.labels)
        every = max(1, -(-len(places) // limit))
        rows = []
        for index in range(0, len(places), every):
            values = (_at(series, index) for series in self.series)
            rows.append([places[index], *values])
        return heads, rows


def _at(series: Series, index: int) -> str:
    value = series.values[index] if index < len(series.values) else None
    if value is None:
        return formats.NOTHING
    if series.form == "percent":
        return f"{value:.1f}%"
    return formats.number(value)
