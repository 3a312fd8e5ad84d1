"""Which slices of an input feed an output slice, and which of them are missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from gamelake.model.schema import ColumnType
from gamelake.model.slices import Slice
from gamelake.model.steps import OnMissing, Reading, SqlStep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.graph import Graph

_PLAIN = Reading()


@dataclass(frozen=True)
class Reach:
    """One input of a step. A *cut* slice has only the columns that input and output share."""

    view: str
    dataset: str
    shared: tuple[str, ...]
    day: str | None  # the date column along which `lookback` counts
    reading: Reading = _PLAIN
    same: bool = False  # input and output are cut into slices by the same columns

    @classmethod
    def of(cls, step: Step, view: str, outputs: Mapping[str, Output]) -> Reach:
        """How a step reads one of its inputs."""
        dataset = str(step.inputs[view])
        source = outputs[dataset]
        shared = tuple(name for name in step.outputs[0].slice_columns if name in source.slice_columns)
        reading = step.readings.get(view, _PLAIN) if isinstance(step, SqlStep) else _PLAIN
        days = date_columns(source, shared)
        same = shared == tuple(source.slice_columns) == tuple(step.outputs[0].slice_columns)
        return cls(view, dataset, shared, days[0] if reading.lookback and days else None, reading, same)

    def cut(self, part: Slice) -> Slice:
        """The slice over the shared columns."""
        return part if self.same else part.project(self.shared)  # hundreds of thousands in a large plan

    def keys(self, part: Slice) -> list[Slice]:
        """Cut slices that an output slice reads, oldest first; its own is the last."""
        own = self.cut(part)
        if self.day is None:
            return [own]
        return [shifted(own, self.day, back) for back in range(self.reading.lookback, 0, -1)] + [own]

    def touched(self, parts: Collection[Slice], cut: Collection[Slice]) -> Iterator[tuple[Slice, Slice]]:
        """Those of the output slices that read one of the cut ones, and the first of these that they read."""
        if self.same and self.day is None:
            yield from ((part, part) for part in cut if part in parts)
            return
        for part in parts if cut else ():
            key = next((key for key in self.keys(part) if key in cut), None)
            if key is not None:
                yield part, key

    def first_days(self, there: Iterable[Slice]) -> dict[Slice, str]:
        """Oldest day by what else the cut slices say; empty without `lookback`."""
        first: dict[Slice, str] = {}
        for key in there if self.day is not None else ():
            rest, day = apart(key, self.day or "")
            first[rest] = min(day, first.get(rest, day))
        return first

    def gaps(
        self, parts: Iterable[Slice], there: Collection[Slice], first: Mapping[Slice, str]
    ) -> dict[Slice, Slice]:
        """`missing` for many slices at once: those that miss one, and which."""
        if self.reading.on_missing is OnMissing.EMPTY:
            return {}
        if self.same and self.day is None:
            return {part: part for part in parts if part not in there}
        found = ((part, self.missing(part, there, first)) for part in parts)
        return {part: gap for part, gap in found if gap is not None}

    def missing(self, part: Slice, there: Collection[Slice], first: Mapping[Slice, str]) -> Slice | None:
        """The oldest cut slice that the SQL needs and nobody has published.

        Its own slice is needed, and with `lookback` every day of the window that is not before the
        input's first one. `on_missing: empty` needs none.
        """
        if self.reading.on_missing is OnMissing.EMPTY:
            return None
        if self.day is None:
            own = self.cut(part)
            return None if own in there else own
        *earlier, own = self.keys(part)
        for key in earlier:
            rest, day = apart(key, self.day)
            if key not in there and first.get(rest, day) < day:
                return key
        return None if own in there else own


def date_columns(output: Output, among: Iterable[str]) -> list[str]:
    """Those of the columns that are dates."""
    return [name for name in among if output.schema[name].type is ColumnType.DATE]


def date_slice_columns(graph: Graph) -> frozenset[str]:
    """Names of all date columns by which anything is sliced."""
    outputs = graph.outputs.values()
    return frozenset(name for output in outputs for name in date_columns(output, output.slice_columns))


def apart(part: Slice, day: str) -> tuple[Slice, str]:
    """What else a slice says, and its day."""
    return Slice(tuple(pair for pair in part.keys if pair[0] != day)), part.as_dict()[day]


def shifted(part: Slice, day: str, back: int) -> Slice:
    """The slice so many days earlier.

    >>> str(shifted(Slice.of(day="2026-03-01", team="a"), "day", 1))
    'day=2026-02-28/team=a'
    """
    return Slice(tuple((n, _earlier(v, back)) if n == day else (n, v) for n, v in part.keys))


@lru_cache(maxsize=100_000)
def _earlier(day: str, back: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=back)).isoformat()
