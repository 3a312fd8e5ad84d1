"""State of one step's slices, with what is needed to build them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gamelake.layouts.fingerprint import fingerprint
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
from gamelake.pipeline.needed import Needed
from gamelake.pipeline.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Step
    from gamelake.pipeline.project import Project

    Wanted = Sequence[Slice] | Span | Needed | None
    """Slices asked for; None asks for all."""


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


@dataclass(frozen=True)
class PlanItem:
    """One step for one output slice. `rows` is a guess from earlier versions, None without any."""

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
        return self.state in {PlanState.MISSING, PlanState.STALE, PlanState.FORCED}

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
    previous: Mapping[str, Mapping[Slice, SliceVersion]]  # dataset → slice → version, of the outputs
    judge: Judge


class Known:
    """What the ledger says of datasets, each asked for once: one plan sees one state."""

    def __init__(self, project: Project) -> None:
        self._ledger = project.ledger
        self._current: dict[str, dict[Slice, SliceVersion]] = {}
        self._hashes: dict[str, dict[tuple[str, int], str]] = {}

    def current(self, dataset: str) -> dict[Slice, SliceVersion]:
        """Newest version of every slice."""
        if dataset not in self._current:
            self._current[dataset] = self._ledger.current(dataset)
        return self._current[dataset]

    def is_equal(self, dataset: str, part: str, one: int, other: int) -> bool:
        """True when two versions of a slice hold the same rows."""
        if dataset not in self._hashes:
            versions = self._ledger.versions(dataset)
            self._hashes[dataset] = {(str(v.slice), v.version): v.content_hash for v in versions}
        known = self._hashes[dataset]
        return (part, one) in known and known[part, one] == known.get((part, other))


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
    found = survey(project, step, force=force, known=known)
    return replace(found, items=settled(found, found.items, slices, gaps=gaps))


def survey(project: Project, step: Step, *, force: bool = False, known: Known | None = None) -> Assessment:
    """`assess` before anybody asked for some slices only, each slice looked at alone."""
    known = known or Known(project)
    inputs = {str(dataset): known.current(str(dataset)) for dataset in step.inputs.values()}
    previous = {str(output.dataset): known.current(str(output.dataset)) for output in step.outputs}
    index = InputIndex.build(step, project.graph.outputs, {**previous, **inputs})
    judge = Judge(step, index, previous, known, force)
    parts = (
        sorted({*judge.listing, *previous[str(step.outputs[0].dataset)]})
        if judge.listing is not None
        else None
    )
    items = tuple(judge.item(part) for part in (index.candidates() if parts is None else parts))
    return Assessment(items, index, previous, judge)


def settled(
    found: Assessment, items: Sequence[PlanItem], slices: Wanted, *, gaps: bool = False
) -> tuple[PlanItem, ...]:
    """The items asked for; those of a step that carries state in the order of their days.

    There a slice follows the one before it: it depends on it while that is to be built, and is blocked
    while that should be and is not asked for.
    """
    own = found.index.own
    if gaps and not found.judge.force:
        items = [_left(item) for item in items]
    if own is None:
        return tuple(item for item in items if chosen(item.slice, slices))
    kept: list[PlanItem] = []
    ordered = sorted(items, key=lambda item: own.chain(item.slice))
    for _, chain in groupby(ordered, key=lambda item: own.chain(item.slice)[0]):
        kept += _in_order(chain, slices)
    return tuple(kept)


def _in_order(chain: Iterable[PlanItem], slices: Wanted) -> Iterator[PlanItem]:
    moving: PlanItem | None = None
    held: PlanItem | None = None
    for given in chain:
        item = given
        if held is not None and (item.is_work or item.state is PlanState.DEPENDS):
            waits = held.state is PlanState.WAITING
            reason = f"carries state from {held.slice}, which is {held.state}"
            reason += "" if waits else " and not to be built"
            item = replace(item, state=PlanState.BLOCKED, reason=reason, out_of_order=not waits)
        elif moving is not None and item.state is PlanState.FRESH:
            reason = f"stays unless its own {moving.slice} comes out different"
            item = replace(item, state=PlanState.DEPENDS, reason=reason)
        mine = chosen(item.slice, slices)
        if mine and (item.is_work or item.state is PlanState.DEPENDS):
            moving = item
        elif item.state not in {PlanState.FRESH, PlanState.FORCED}:
            held = held or item  # what is forced and not asked for is fresh as it is
        if mine:
            yield item


def _left(item: PlanItem) -> PlanItem:
    if item.state is PlanState.STALE and item.restates:
        return replace(item, state=PlanState.LEFT, reason=f"{item.reason}; `--force` restates it")
    return item


def chosen(part: Slice, slices: Wanted) -> bool:
    """True when a slice is meant by one of those asked for; None asks for all."""
    if slices is None:
        return True
    if isinstance(slices, Span | Needed):
        return slices.holds(part)
    return any(part.is_meant_by(wanted) for wanted in slices)


@dataclass(frozen=True)
class Judge:
    """Compares slices of one step with what they would be built from now."""

    step: Step
    index: InputIndex
    previous: Mapping[str, Mapping[Slice, SliceVersion]]
    known: Known
    force: bool

    def item(self, part: Slice) -> PlanItem:
        """The slice's state, and why."""
        gap = self.index.missing(part)
        if gap is not None:
            reason = f"input {gap[0]} {gap[1]} was never published"
            return PlanItem(self.step.name, part, PlanState.WAITING, reason)
        now = Parts(*self._fixed_parts, self._read_now(part))
        had = {name: versions.get(part) for name, versions in self.previous.items()}
        missing = [name for name, version in had.items() if version is None]
        if missing:
            reason = "never built" if len(missing) == len(had) else f"{', '.join(missing)} never built"
            return PlanItem(self.step.name, part, PlanState.MISSING, reason, self._usual_rows, str(now))
        present = [version for version in had.values() if version is not None]
        rows = sum(version.rows for version in present)
        state, reason = (PlanState.FORCED, "forced") if self.force else (PlanState.FRESH, "")
        restates = False
        for version in present:
            if version.fingerprint != str(now):
                was = Parts.parse(version.fingerprint)
                restates = (was.code, was.schema) != (now.code, now.schema)
                state, reason = PlanState.STALE, self._why(part, version, now)
                break
        if (
            state is PlanState.FRESH
            and isinstance(self.step, PythonStep)
            and self.step.refresh is Refresh.RUN
        ):
            state, reason = PlanState.STALE, "read again by every run"
        return PlanItem(self.step.name, part, state, reason, rows, str(now), restates)

    @cached_property
    def listing(self) -> Mapping[Slice, str] | None:
        """Slices of another system and their versions; None for steps without any of their own."""
        if not isinstance(self.step, PythonStep) or self.step.listing is None:
            return None
        return self.step.listing()

    def _read_now(self, part: Slice) -> str:
        if self.listing is not None:
            return self.listing.get(part, _GONE)
        return self._outside or inputs_part(self.index.deciding(part))

    @cached_property
    def _outside(self) -> str:
        """What a step of another system would read now; empty for all others."""
        if not isinstance(self.step, PythonStep) or self.step.outside is None:
            return ""
        return fingerprint(self.step.outside())

    def _why(self, part: Slice, version: SliceVersion, now: Parts) -> str:
        if self.listing is not None and part not in self.listing:
            return "its files are gone"
        read = versions_read(self.index.deciding(part))
        deciding = {k: v for k, v in version.inputs.items() if k not in self.index.current_state}
        had = replace(version, inputs=deciding)
        return why_stale(self.step, had, now, read, self.known.is_equal) or "fingerprint changed"

    @cached_property
    def _fixed_parts(self) -> tuple[str, str]:
        return code_part(self.step), schema_part(self.step)

    @cached_property
    def _usual_rows(self) -> int | None:
        """Mean rows of the slices there are; None when there is none."""
        written = [versions.values() for versions in self.previous.values() if versions]
        sizes = [sum(version.rows for version in versions) / len(versions) for versions in written]
        return round(sum(sizes)) if sizes else None
