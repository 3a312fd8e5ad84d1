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
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.graph import Graph

_PLAIN = Reading()


@dataclass(frozen=True)
class Reach:
    """One input of a step. A *cut* slice has only those of the input's columns that tell something of the output's."""

    view: str
    dataset: str
    pairs: tuple[
        tuple[str, str], ...
    ]  # (input's slice column, output's of the same value), in the output's order
    day: str | None  # the input's date column along which days are counted
    reading: Reading = _PLAIN
    whole: bool = False  # a cut slice tells all columns of the output's
    same: bool = False  # input and output are cut into slices by the same columns

    @classmethod
    def of(cls, step: Step, view: str, outputs: Mapping[str, Output]) -> Reach:
        """How a step reads one of its inputs."""
        dataset = str(step.inputs[view])
        source, ours = outputs[dataset], step.outputs[0].slice_columns
        reading = step.readings.get(view, _PLAIN) if isinstance(step, SqlStep) else _PLAIN
        by_ours = {name: name for name in source.slice_columns}
        by_ours |= {mine: theirs for theirs, mine in reading.slices if theirs in source.slice_columns}
        pairs = tuple((by_ours[name], name) for name in ours if name in by_ours)
        theirs = tuple(name for name, _ in pairs)
        days = date_columns(source, theirs)
        day = days[0] if reading.spans and days else None
        whole = len(pairs) == len(ours) and (day is None or 0 in reading.offsets)
        same = theirs == ours == tuple(source.slice_columns)
        return cls(view, dataset, pairs, day, reading, whole, same)

    @property
    def shared(self) -> tuple[str, ...]:
        """The input's slice columns that tell something of the output's slice."""
        return tuple(name for name, _ in self.pairs)

    @property
    def namesake(self) -> bool:
        """True when those columns are called the same on both sides."""
        return all(theirs == ours for theirs, ours in self.pairs)

    def cut(self, part: Slice) -> Slice:
        """The cut slice that a slice of the input belongs to."""
        return part if self.same else part.project(self.shared)

    def key(self, part: Slice) -> Slice:
        """The cut slice of an output slice's own values."""
        if self.same:
            return part  # hundreds of thousands in a large plan
        ours = part.as_dict()
        return Slice(tuple((theirs, ours[name]) for theirs, name in self.pairs if name in ours))

    def back(self, key: Slice) -> Slice:
        """The output slice whose own values a cut slice has; only where it tells the `whole`."""
        if self.same:
            return key
        theirs = key.as_dict()
        return Slice(tuple((name, theirs[column]) for column, name in self.pairs))

    def keys(self, part: Slice) -> list[Slice]:
        """Cut slices that an output slice reads, in the order of their days."""
        own = self.key(part)
        if self.day is None:
            return [own]
        return [shifted(own, self.day, days) if days else own for days in self.reading.offsets]

    def readers(self, key: Slice) -> list[Slice]:
        """Output slices that read a cut slice, as far as its columns tell."""
        if self.day is None:
            return [self.back(key)]
        return [self.back(shifted(key, self.day, -days)) for days in self.reading.offsets]

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
        """Oldest day by what else the cut slices say; empty where no earlier day is read."""
        first: dict[Slice, str] = {}
        for key in there if self.day is not None and self.reading.offsets[0] < 0 else ():
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

        Its own slice is needed, and of the earlier days it reads every one that is not before the input's
        first. Later days are never missing, they have not come yet; `on_missing: empty` needs none.
        """
        if self.reading.on_missing is OnMissing.EMPTY:
            return None
        own = self.key(part)
        for days in (n for n in self.reading.offsets if n < 0) if self.day is not None else ():
            key = shifted(own, self.day or "", days)
            rest, day = apart(key, self.day or "")
            if key not in there and first.get(rest, day) < day:
                return key
        return own if own not in there and (self.day is None or 0 in self.reading.offsets) else None


def date_columns(output: Output, among: Iterable[str]) -> list[str]:
    """Those of the columns that are dates."""
    return [name for name in among if output.schema[name].type is ColumnType.DATE]


def date_slice_columns(graph: Graph) -> frozenset[str]:
    """Names of all date columns by which anything is sliced."""
    outputs = graph.outputs.values()
    return frozenset(name for output in outputs for name in date_columns(output, output.slice_columns))


def reads_earlier_days(graph: Graph, targets: Sequence[str] | None) -> bool:
    """True when a slice of the targets, or of what they need, is made from slices of days before it."""
    steps = (graph.steps[name] for name in graph.select(targets))
    return any(
        step.carries or any(reading.offsets[0] < 0 for reading in step.readings.values())
        for step in steps
        if isinstance(step, SqlStep)
    )


def apart(part: Slice, day: str) -> tuple[Slice, str]:
    """What else a slice says, and its day."""
    return Slice(tuple(pair for pair in part.keys if pair[0] != day)), part.as_dict()[day]


def shifted(part: Slice, day: str, days: int) -> Slice:
    """The slice so many days later, or earlier.

    >>> str(shifted(Slice.of(day="2026-03-01", team="a"), "day", -1))
    'day=2026-02-28/team=a'
    """
    return Slice(tuple((n, _moved(v, days)) if n == day else (n, v) for n, v in part.keys))


@lru_cache(maxsize=100_000)
def _moved(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
