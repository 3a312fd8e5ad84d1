"""Which slices a step should have, and whether those it has are made from what is there now."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gamelake.layouts.fingerprint import fingerprint
from gamelake.model.slices import Slice
from gamelake.model.steps import PREVIOUS, FoldStep, PythonStep, SqlStep
from gamelake.pipeline.reach import Reach, apart, date_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from gamelake.ledger.rows import AnyVersion
    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.known import Known


@dataclass(frozen=True)
class Parts:
    """What a slice is made from: the three parts of its fingerprint."""

    code: str
    schema: str
    inputs: str

    def __str__(self) -> str:
        return f"{self.code}.{self.schema}.{self.inputs}"

    @classmethod
    def parse(cls, text: str) -> Parts:
        """Read what `str()` wrote; anything else has no part in common with a step's."""
        code, _, rest = text.partition(".")
        schema, _, inputs = rest.partition(".")
        return cls(code, schema, inputs)


class InputIndex:
    """Published slices of a step's inputs, found by the output slice they feed."""

    def __init__(self, step: Step, outputs: Mapping[str, Output], known: Known) -> None:
        """Index the inputs by the columns they share with the step's outputs; of one that carries, its own too."""
        self.columns = step.outputs[0].slice_columns
        self.reaches = {view: Reach.of(step, view, outputs) for view in step.inputs}  # how each is read
        self.own: OwnSlices | None = None  # of a step that carries state
        self._by_key: dict[str, Mapping[Slice, Sequence[AnyVersion]]] = {}  # view → cut slice
        self._first: dict[str, Mapping[Slice, str]] = {}
        self._views: dict[str, list[str]] = {}  # dataset → those who show it, in order of dataset
        for view, reach in sorted(self.reaches.items(), key=lambda pair: pair[1].dataset):
            self._by_key[view] = known.cut(reach)
            self._first[view] = reach.first_days(self._by_key[view])
            self._views.setdefault(reach.dataset, []).append(view)
        if isinstance(step, SqlStep) and step.carries:
            own = known.current(str(step.outputs[0].dataset))
            self.own = OwnSlices(step.outputs[0], own, first_day(step))

    def seen_as(self, view: str, for_slice: Slice) -> list[AnyVersion]:
        """Versions that a view of the SQL shows to an output slice, in order of slice."""
        if view == PREVIOUS and self.own is not None:
            before = self.own.before(for_slice)
            return [before] if before else []
        by_key = self._by_key[view]
        return [version for key in self.reaches[view].keys(for_slice) for version in by_key.get(key, ())]

    def feeding(self, dataset: str, for_slice: Slice) -> list[AnyVersion]:
        """Versions of an input's slices that feed the output slice, in order of slice."""
        views = self._views.get(dataset, [])
        if len(views) == 1:
            return self.seen_as(views[0], for_slice)
        found = {v.slice: v for view in views for v in self.seen_as(view, for_slice)}
        return [found[part] for part in sorted(found)]

    def all_feeding(self, for_slice: Slice) -> Iterator[AnyVersion]:
        """The same over all inputs, in order of dataset; then the slice before, of a step that carries."""
        for dataset in self._views:
            yield from self.feeding(dataset, for_slice)
        if self.own is not None:
            yield from self.seen_as(PREVIOUS, for_slice)

    def deciding(self, for_slice: Slice) -> Iterator[AnyVersion]:
        """Those of `all_feeding` whose newer versions make the slice stale."""
        return (
            version for version in self.all_feeding(for_slice) if version.dataset not in self.current_state
        )

    @cached_property
    def current_state(self) -> frozenset[str]:
        """Inputs that are read as they are, and whose newer versions make nothing stale."""
        follow = {reach.dataset for reach in self.reaches.values() if not reach.reading.current_state}
        return frozenset(reach.dataset for reach in self.reaches.values()) - follow

    def candidates(self) -> list[Slice]:
        """Output slices that some input with all their columns has, in order; without inputs the one there is."""
        if not self.reaches and not self.columns:
            return [Slice()]
        found = [
            self._by_key[view] if reach.namesake else [reach.back(key) for key in self._by_key[view]]
            for view, reach in self.reaches.items()
            if reach.whole
        ]
        if self.own is not None:
            found = [[part for part in parts if self.own.holds(part)] for parts in found]
        first, others = list(found[0]) if found else [], found[1:]
        more = {part for other in others for part in other}.difference(first) if others else ()
        return sorted([*first, *more]) if more else first

    def gaps(self, parts: Iterable[Slice]) -> dict[Slice, tuple[str, Slice]]:
        """Output slices that miss an input: its dataset, and the cut slice of it that nobody has published."""
        found: dict[Slice, tuple[str, Slice]] = {}
        for view, reach in reversed(self.reaches.items()):  # the first one counts
            gaps = reach.gaps(parts, self._by_key[view], self._first[view])
            found |= {part: (reach.dataset, gap) for part, gap in gaps.items()}
        return found


class OwnSlices:
    """The newest slices of a step that carries state, found by the slice that comes after them.

    `first` is the day with which the chains begin; what is there of days before it counts as not there.
    """

    def __init__(self, output: Output, versions: Mapping[Slice, AnyVersion], first: str = "") -> None:
        self.day = date_columns(output, output.slice_columns)[0]
        self.first = first
        self._versions: dict[Slice, dict[str, AnyVersion]] = defaultdict(dict)
        self._days: dict[Slice, list[str]] = {}
        for version in versions.values():
            if self.holds(version.slice):
                self.learn(version)

    def holds(self, part: Slice) -> bool:
        """True when the slice is not before the first day."""
        return part.as_dict()[self.day] >= self.first

    def learn(self, version: AnyVersion) -> None:
        """From now on this is the newest version of its slice."""
        rest, day = apart(version.slice, self.day)
        if day not in self._versions[rest]:
            insort(self._days.setdefault(rest, []), day)
        self._versions[rest][day] = version

    def before(self, part: Slice) -> AnyVersion | None:
        """The slice of the last day before; None when there is none."""
        rest, day = apart(part, self.day)
        days = self._days.get(rest, [])
        position = bisect_left(days, day)
        return self._versions[rest][days[position - 1]] if position else None

    def chain(self, part: Slice) -> tuple[Slice, str]:
        """Sorts slices into chains, and each chain by day."""
        return apart(part, self.day)


def first_day(step: SqlStep) -> str:
    """The day on which the chains of a step that carries state begin; empty when they begin with their inputs."""
    return step.values.get(step.chain.first, "")


_CODE = {"SqlStep": "SQL changed", "FoldStep": "grain, mode or order changed"}


def code_part(step: Step) -> str:
    """Fingerprint of what the step does."""
    if isinstance(step, SqlStep):
        return step.fingerprint or fingerprint(step.sql)
    if isinstance(step, FoldStep):
        return fingerprint("fold", step.mode, *step.grain, *step.order)
    return fingerprint("python", step.version)


def schema_part(step: Step) -> str:
    """Fingerprint of the shape of what the step writes."""
    told = [
        (str(o.dataset), o.slice_columns, [(c.name, c.type.value, c.nullable) for c in o.schema.columns])
        for o in step.outputs
    ]
    return fingerprint(repr(told))


def inputs_part(versions: Iterator[AnyVersion]) -> str:
    """Fingerprint of the rows read: equal rows in a newer version give the same."""
    return fingerprint(*(f"{v.dataset}/{v.slice}={v.content_hash}" for v in versions))


def versions_read(versions: Iterator[AnyVersion]) -> dict[str, dict[str, int]]:
    """What a published slice remembers of its inputs: dataset → slice → version."""
    read: dict[str, dict[str, int]] = defaultdict(dict)
    for version in versions:
        read[version.dataset][str(version.slice)] = version.version
    return dict(read)


def why_stale(
    step: Step,
    before: Parts,
    now: Parts,
    read_before: Mapping[str, Mapping[str, int]],
    read: Mapping[str, Mapping[str, int]],
    is_equal: Callable[[str, str, int, int], bool],
) -> str | None:
    """What has changed since a version was built, in words; None when nothing has.

    `read_before` is what it was made from, `read` what it would be made from now.
    `is_equal(dataset, slice, version, version)` tells whether two versions hold the same rows.
    """
    reasons = []
    if before.code != now.code:
        reasons.append(_CODE.get(type(step).__name__, "step version changed"))
    if before.schema != now.schema:
        reasons.append("schema changed")
    if before.inputs != now.inputs:
        changes = _input_changes(read_before, read, is_equal)
        listed = isinstance(step, PythonStep) and step.listing is not None
        reasons.append(_first_of(changes) or ("it changed there" if listed else "inputs changed"))
    return "; ".join(reasons) or None


def _input_changes(
    before: Mapping[str, Mapping[str, int]],
    now: Mapping[str, Mapping[str, int]],
    is_equal: Callable[[str, str, int, int], bool],
) -> Sequence[str]:
    changes = []
    for dataset in sorted({*before, *now}):
        old, new = before.get(dataset, {}), now.get(dataset, {})
        for part in sorted({*old, *new}):
            if old.get(part) == new.get(part):
                continue
            if part not in old:
                changes.append(f"input {dataset} {part} is new")
            elif part not in new:
                changes.append(f"input {dataset} {part} is no longer read")
            elif len(changes) > 20 or not is_equal(dataset, part, old[part], new[part]):
                changes.append(f"input {dataset} {part} version {old[part]} → {new[part]}")
    return changes


def _first_of(changes: Collection[str]) -> str:
    first = next(iter(changes), "")
    return f"{first} and {len(changes) - 1} more" if len(changes) > 1 else first
