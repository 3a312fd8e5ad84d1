"""State of one step's slices, with what is needed to build them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from gamelake.errors import OperatorError
from gamelake.layouts.fingerprint import fingerprint
from gamelake.model.slices import Slice
from gamelake.model.steps import PythonStep, Refresh
from gamelake.pipeline.freshness import (
    InputIndex,
    Parts,
    code_part,
    inputs_part,
    schema_part,
    versions_read,
    why_stale,
)
from gamelake.pipeline.known import Known
from gamelake.pipeline.needed import Needed
from gamelake.pipeline.needs import Needs, Windows
from gamelake.pipeline.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gamelake.ledger.rows import SliceSummary
    from gamelake.model.steps import Step
    from gamelake.pipeline.project import Project

    Wanted = Sequence[Slice] | Span | Needed | Needs | Windows | None
    """Slices asked for; None asks for all."""
    OfStep = Sequence[Slice] | Span | Windows | Needed | None
    """Slices asked for of one step."""


_GONE = "gone"


class PlanState(StrEnum):
    """Why an item is, or is not, work."""

    MISSING = "missing"  # never built, and its inputs are there
    STALE = "stale"  # built from something else than what is there now
    FORCED = "forced"  # fresh, and asked for anyway
    DEPENDS = "depends"  # fresh now; runs only if an input comes out different
    WAITING = "waiting"  # an input slice that its SQL needs was never published
    BLOCKED = "blocked"  # carries state, and an earlier slice of its own is neither fresh nor to be built
    LEFT = "left"  # stale because the step changed, which a backfill does not restate
    FRESH = "fresh"


_WORK = frozenset({PlanState.MISSING, PlanState.STALE, PlanState.FORCED})
_MOVES = _WORK | {PlanState.DEPENDS}


class PlanItem(NamedTuple):
    """One step for one output slice. `rows` is a guess from earlier versions, None without any.

    A tuple: a plan may hold hundreds of thousands of them.
    """

    step: str
    slice: Slice
    state: PlanState
    reason: str
    rows: int | None = None
    fingerprint: str = ""
    restates: bool = False  # stale because the step itself changed: SQL, version or schema
    out_of_order: bool = False  # blocked by an earlier slice that could be built, and was not asked for

    @property
    def is_work(self) -> bool:
        """True when a run would build it, as far as is known now."""
        return self.state in _WORK

    @property
    def moves(self) -> bool:
        """True when a run would, or may, build it."""
        return self.state in _MOVES

    def to_json(self) -> dict[str, Any]:
        """Item as `plan --json` shows it."""
        return {
            "step": self.step,
            "slice": str(self.slice),
            "state": self.state.value,
            "reason": self.reason,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Assessment:
    """A step's slices as the ledger has them now, with what is needed to build them."""

    items: tuple[PlanItem, ...]
    index: InputIndex
    previous: Mapping[str, Mapping[Slice, SliceSummary]]  # dataset → slice → version, of the outputs
    judge: Judge


def assess(
    project: Project,
    step: Step,
    *,
    force: bool = False,
    slices: Wanted = None,
    known: Known | None = None,
    gaps: bool = False,
) -> Assessment:
    """State of every wanted slice of one step, certain because nothing upstream is pending.

    `gaps` leaves alone what is stale only because the step itself changed.
    """
    found = survey(project, step, force=force, known=known, slices=slices)
    return replace(found, items=settled(found, found.items, slices, gaps=gaps))


def survey(
    project: Project,
    step: Step,
    *,
    force: bool = False,
    known: Known | None = None,
    slices: Wanted = None,
    ask: bool = True,
) -> Assessment:
    """`assess` before anybody asked for some slices only, each slice looked at alone.

    Without `ask` no other system is: what was read of it counts as what is there.
    `slices` tells those that a source cannot list by itself; nothing else of it counts here.
    """
    known = known or Known(project, [step])
    previous = {str(output.dataset): known.current(str(output.dataset)) for output in step.outputs}
    index = InputIndex(step, project.graph.outputs, known)
    judge = Judge(step, index, previous, known, force, ask)
    parts: Sequence[Slice] = index.candidates()
    if judge.listing is not None:
        parts = sorted({*judge.listing, *previous[str(step.outputs[0].dataset)], *_named(slices)})
    items = tuple(judge.items(parts))
    return Assessment(items, index, previous, judge)


def _named(slices: Wanted) -> frozenset[Slice]:
    return slices.named if isinstance(slices, Needed | Windows) else frozenset()


def settled(
    found: Assessment, items: Sequence[PlanItem], slices: Wanted, *, gaps: bool = False
) -> tuple[PlanItem, ...]:
    """The items asked for; those of a step that carries state in the order of their days.

    There a slice follows the one before it: it depends on it while that is to be built, and is blocked
    while that should be and is not asked for.
    """
    own = found.index.own
    mine = _of_step(slices, found.judge.step)
    if gaps and not found.judge.force:
        items = [_left(item) for item in items]
    if own is None:
        return tuple(items if mine is None else (item for item in items if chosen(item.slice, mine)))
    kept: list[PlanItem] = []
    ordered = sorted(items, key=lambda item: own.chain(item.slice))
    for _, chain in groupby(ordered, key=lambda item: own.chain(item.slice)[0]):
        kept += _in_order(chain, mine)
    return tuple(kept)


def _in_order(chain: Iterable[PlanItem], slices: OfStep) -> Iterator[PlanItem]:
    moving: PlanItem | None = None
    held: PlanItem | None = None
    for given in chain:
        item = given
        if held is not None and item.moves:
            waits = held.state is PlanState.WAITING
            reason = f"carries state from {held.slice}, which is {held.state}"
            reason += "" if waits else " and not to be built"
            item = item._replace(state=PlanState.BLOCKED, reason=reason, out_of_order=not waits)
        elif moving is not None and item.state is PlanState.FRESH:
            reason = f"stays unless its own {moving.slice} comes out different"
            item = item._replace(state=PlanState.DEPENDS, reason=reason)
        mine = chosen(item.slice, slices)
        if mine and item.moves:
            moving = item
        elif item.state not in {PlanState.FRESH, PlanState.FORCED}:  # forced and not asked for stays as it is
            held = held or item
        if mine:
            yield item


def _left(item: PlanItem) -> PlanItem:
    if item.state is PlanState.STALE and item.restates:
        return item._replace(state=PlanState.LEFT, reason=f"{item.reason}; `--force` restates it")
    return item


def _of_step(slices: Wanted, step: Step) -> OfStep:
    return slices.of_step(step) if isinstance(slices, Needs) else slices


def chosen(part: Slice, slices: OfStep) -> bool:
    """True when a slice is meant by one of those asked for; None asks for all."""
    if slices is None:
        return True
    if isinstance(slices, (Span, Windows, Needed)):
        return slices.holds(part)
    return any(part.is_meant_by(wanted) for wanted in slices)


class _Change(NamedTuple):
    """Why a slice is stale, and whether because its step is another one now."""

    reason: str
    restates: bool


@dataclass(frozen=True)
class Judge:
    """Compares slices of one step with what they would be built from now."""

    step: Step
    index: InputIndex
    previous: Mapping[str, Mapping[Slice, SliceSummary]]
    known: Known
    force: bool
    ask: bool = True  # other systems what they have

    def item(self, part: Slice) -> PlanItem:
        """The slice's state, and why."""
        [item] = self.items([part])
        return item

    def items(self, parts: Sequence[Slice]) -> Iterator[PlanItem]:
        """The same for many slices at once, in the same order."""
        gaps = self.index.gaps(parts)
        now = {part: self._made_by + self._inputs(part) for part in parts if part not in gaps}
        changes = self._changes(now)
        for part in parts:
            if part in gaps:
                reason = "input {} {} was never published".format(*gaps[part])
                yield PlanItem(self.step.name, part, PlanState.WAITING, reason)
            else:
                yield self._judged(part, now[part], changes.get(part))

    def _judged(self, part: Slice, now: str, change: _Change | None) -> PlanItem:
        had = [versions.get(part) for versions in self.previous.values()]
        rows = 0
        for version in had:
            if version is None:
                return PlanItem(
                    self.step.name, part, PlanState.MISSING, self._lacks(part), self._usual_rows, now
                )
            rows += version.rows
        if change is not None:
            return PlanItem(self.step.name, part, PlanState.STALE, change.reason, rows, now, change.restates)
        # `_make` takes a third of the time, and most slices come here
        return PlanItem._make((self.step.name, part, *self._unchanged, rows, now, False, False))

    def _lacks(self, part: Slice) -> str:
        missing = [name for name, versions in self.previous.items() if part not in versions]
        return "never built" if len(missing) == len(self.previous) else f"{', '.join(missing)} never built"

    def _changes(self, now: Mapping[Slice, str]) -> dict[Slice, _Change]:
        """Of slices that were not made from what is there now, what is different."""
        found: dict[Slice, SliceSummary] = {}
        for versions in self.previous.values():
            for part, made_of in now.items():
                version = versions.get(part)
                if version is not None and version.fingerprint != made_of:
                    found.setdefault(part, version)
        parts = {part: (Parts.parse(had.fingerprint), Parts.parse(now[part])) for part, had in found.items()}
        reread = [found[part] for part, (was, would) in parts.items() if was.inputs != would.inputs]
        stay = self.index.current_state
        read = {
            version.slice: {name: parts for name, parts in version.inputs.items() if name not in stay}
            for version in self.known.whole(reread)
        }
        changes = {}
        for part, (was, would) in parts.items():
            reads = versions_read(self.index.deciding(part))
            reason = why_stale(self.step, was, would, read.get(part, {}), reads, self.known.is_equal)
            restates = (was.code, was.schema) != (would.code, would.schema)
            if self.listing is not None and part not in self.listing and not self._is_told:
                reason = "it is no longer there"
            changes[part] = _Change(reason or "fingerprint changed", restates)
        return changes

    @cached_property
    def _unchanged(self) -> tuple[PlanState, str]:
        """State of a slice that is made from what is there now, and why."""
        if self.force:
            return PlanState.FORCED, "forced"
        if isinstance(self.step, PythonStep) and self.step.refresh is Refresh.RUN:
            return PlanState.STALE, "read again by every run"
        return PlanState.FRESH, ""

    def _inputs(self, part: Slice) -> str:
        """Fingerprint of the rows the slice would be made from."""
        if self.listing is not None:
            return self.listing.get(part, "" if self._is_told else _GONE)
        if self._outside:
            return self._outside
        if self.index.own is not None:  # the slice before may come out different while the step runs
            return inputs_part(self.index.deciding(part))
        found = self._hashes.get(part)
        if found is None:
            found = self._hashes[part] = inputs_part(self.index.deciding(part))
        return found

    @cached_property
    def _hashes(self) -> dict[Slice, str]:
        return self.known.hashes(
            reach for reach in self.index.reaches.values() if reach.dataset not in self.index.current_state
        )

    @cached_property
    def listing(self) -> Mapping[Slice, str] | None:
        """Slices of another system and their versions; None for steps without any of their own."""
        if not isinstance(self.step, PythonStep) or self.step.listing is None:
            return None
        if self.ask or self.step.refresh is None:  # files are looked at, if they can be
            try:
                return self.step.listing()
            except OperatorError:
                if self.ask:
                    raise
        had = self.previous[str(self.step.outputs[0].dataset)]
        return {part: Parts.parse(version.fingerprint).inputs for part, version in had.items()}

    @property
    def _is_told(self) -> bool:
        """True for a source that is told its slices, because it cannot list them."""
        return isinstance(self.step, PythonStep) and self.step.usual is not None

    @cached_property
    def _outside(self) -> str:
        """What a step of another system would read now; empty for all others."""
        if not isinstance(self.step, PythonStep) or self.step.outside is None:
            return ""
        if not self.ask:
            had = self.previous[str(self.step.outputs[0].dataset)].get(Slice())
            return Parts.parse(had.fingerprint).inputs if had else ""
        return fingerprint(self.step.outside())

    @cached_property
    def _made_by(self) -> str:
        """The first two parts of every fingerprint, which the step itself gives."""
        return str(Parts(code_part(self.step), schema_part(self.step), ""))

    @cached_property
    def _usual_rows(self) -> int | None:
        """Mean rows of the slices there are; None when there is none."""
        written = [versions.values() for versions in self.previous.values() if versions]
        sizes = [sum(version.rows for version in versions) / len(versions) for versions in written]
        return round(sum(sizes)) if sizes else None
