"""The slices that others are made from, step by step back to the sources."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gamelake.model.slices import Slice
from gamelake.model.steps import FoldStep, PythonStep, SqlStep
from gamelake.pipeline.check_fit import judged_against
from gamelake.pipeline.reach import Reach, apart, date_columns
from gamelake.pipeline.span import Span, days_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gamelake.model.steps import Step
    from gamelake.pipeline.graph import Graph


@dataclass(frozen=True)
class Window:
    """Slices that hold these values, and a day from `first` (empty = the earliest) to `last`."""

    values: Slice = field(default_factory=Slice)
    day: str = ""  # the date column, empty when any day will do
    first: str = ""
    last: str = ""

    def holds(self, part: Slice) -> bool:
        """True when the slice lies in the window.

        >>> window = Window(Slice.of(team="a"), "day", "", "2026-01-02")
        >>> window.holds(Slice.of(day="2026-01-01", team="a")), window.holds(Slice.of(day="2026-01-03", team="a"))
        (True, False)
        """
        value = part.as_dict().get(self.day)
        return self.values.agrees_with(part) and (value is None or self.first <= value <= self.last)

    def since_ever(self, day: str) -> Window:
        """The window with all days before it, along a date column."""
        wide = self._along(day)
        return replace(wide, first="") if wide.day == day else wide

    def through(self, reach: Reach) -> Window:
        """The slices of an input that slices of this window are made from."""
        theirs = {ours: name for name, ours in reach.pairs}
        days = next((ours for name, ours in reach.pairs if name == reach.day), "")
        wide = self._along(days)
        values = Slice(tuple((theirs[name], value) for name, value in wide.values.keys if name in theirs))
        if wide.day not in theirs:
            return Window(values)
        first, last = wide.first, wide.last
        if wide.day == days:
            first = _moved(first, reach.reading.offsets[0]) if first else ""
            last = _moved(last, reach.reading.offsets[-1])
        return Window(values, theirs[wide.day], first, last)

    def each(self) -> Iterator[Slice]:
        """Its slices as far as they can be told: not where it begins with the earliest day."""
        if not self.day:
            yield self.values
        elif self.first:
            for day in days_of(Span(self.first, self.last, frozenset())):
                yield Slice((*self.values.keys, (self.day, day)))

    def _along(self, day: str) -> Window:
        """The same window, told as days of that column where it says one."""
        if day not in self.values.as_dict():
            return self
        values, one = apart(self.values, day)
        return Window(values, day, one, one)


@dataclass(frozen=True)
class Windows:
    """Slices of one step."""

    windows: frozenset[Window] = frozenset()
    named: frozenset[Slice] = frozenset()  # slices to read whose source cannot list what it has

    def holds(self, part: Slice) -> bool:
        """True when the slice lies in one of them."""
        return any(window.holds(part) for window in self.windows)


@dataclass(frozen=True)
class Needs:
    """Some slices of some steps, and all they are made from."""

    by_step: Mapping[str, Windows]

    def of_step(self, step: Step) -> Windows:
        """Slices of one step; for a source that cannot list what it has, by name as well."""
        found = self.by_step.get(step.name, Windows())
        if not isinstance(step, PythonStep) or step.usual is None:
            return found
        columns = step.outputs[0].slice_columns
        parts = (part.project(columns) for window in found.windows for part in window.each())
        return replace(found, named=frozenset(part for part in parts if len(part.keys) == len(columns)))

    @classmethod
    def of(cls, graph: Graph, names: Iterable[str], parts: Sequence[Slice]) -> Needs:
        """What these slices of these steps need; where a step carries state, every slice before them too."""
        found: dict[str, set[Window]] = defaultdict(set)
        asked = set(names)
        for name in asked:
            columns = graph.steps[name].outputs[0].slice_columns
            found[name] = {Window(part.project(columns)) for part in parts or (Slice(),)}
        for name in reversed(list(graph.steps)):  # who reads comes before what it reads
            step = graph.steps[name]
            if name not in found:
                continue
            if isinstance(step, SqlStep) and step.carries:
                day = date_columns(step.outputs[0], step.outputs[0].slice_columns)[0]
                found[name] = {window.since_ever(day) for window in found[name]}
            if isinstance(step, FoldStep) and name in asked:
                continue  # of its deltas only those asked for; the others count as they are
            for producer, windows in _read(step, graph, found[name]):
                found[producer] |= windows
        return cls({name: Windows(frozenset(windows)) for name, windows in found.items()})


def _read(step: Step, graph: Graph, windows: Iterable[Window]) -> Iterable[tuple[str, set[Window]]]:
    """The steps that write what a step or a check of its rows reads, and which of their slices."""
    reaches = [Reach.of(step, view, graph.outputs) for view in step.inputs]
    for dataset in judged_against(step.outputs):
        columns = graph.outputs[dataset].slice_columns
        shared = tuple((name, name) for name in step.outputs[0].slice_columns if name in columns)
        reaches.append(Reach(dataset, dataset, shared, None))
    for reach in reaches:
        yield graph.producers[reach.dataset], {window.through(reach) for window in windows}


def _moved(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
