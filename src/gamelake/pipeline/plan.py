"""What would run, and why: wanted slices compared with the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gamelake.errors import ConflictError, UserError, did_you_mean
from gamelake.model.steps import SqlStep
from gamelake.pipeline.assess import Known, PlanItem, PlanState, settled, survey
from gamelake.pipeline.needed import Needed, needed_of
from gamelake.pipeline.reach import date_columns
from gamelake.pipeline.span import Span
from gamelake.pipeline.variables import refuse_unset

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gamelake.model.slices import Slice
    from gamelake.model.steps import Step
    from gamelake.pipeline.assess import Wanted
    from gamelake.pipeline.freshness import InputIndex
    from gamelake.pipeline.project import Project
    from gamelake.pipeline.reach import Reach

__all__ = ["Plan", "PlanItem", "PlanState", "forced_steps", "plan", "selected"]


@dataclass(frozen=True)
class Restated:
    """What a change of a step's SQL (or version, or schema) makes stale; rows as they are now."""

    step: str
    slices: int
    rows: int


@dataclass(frozen=True)
class Plan:
    """Items in the order in which they would run."""

    items: tuple[PlanItem, ...]

    @property
    def work(self) -> tuple[PlanItem, ...]:
        """Items that would be built for certain."""
        return tuple(item for item in self.items if item.is_work)

    def counts(self) -> dict[str, int]:
        """Number of items in each state, those without any left out."""
        return dict(Counter(item.state.value for item in self.items))

    def to_json(self, *, fresh: bool = False) -> dict[str, Any]:
        """The plan as one JSON object; fresh items only on request, there may be thousands."""
        shown = [item.to_json() for item in self.items if fresh or item.state is not PlanState.FRESH]
        return {
            "items": shown,
            "counts": self.counts(),
            "rows": sum(item.rows or 0 for item in self.work),
            "restates": [vars(part) for part in self.restated()],
        }

    def restated(self) -> tuple[Restated, ...]:
        """Published slices that are stale because their step itself changed, by step in order."""
        found: dict[str, list[PlanItem]] = {}
        for item in self.items:
            if item.restates:
                found.setdefault(item.step, []).append(item)
        return tuple(
            Restated(step, len(items), sum(item.rows or 0 for item in items)) for step, items in found.items()
        )


def plan(
    project: Project,
    targets: Sequence[str] | None = None,
    *,
    force: bool = False,
    slices: Wanted = None,
    gaps: bool = False,
) -> Plan:
    """Compare wanted slices with the ledger. Reads the ledger only; changes nothing.

    `targets` are datasets, steps or layers (see `Graph.named`) and bring along what they need;
    `slices` keeps items that agree with one of them; `force` adds fresh items of the targets;
    `gaps` leaves alone what only a change of its own step made stale.
    """
    names = selected(project, targets, slices)
    foresight = _Foresight(project, names, forced_steps(project, targets, force=force), slices, gaps=gaps)
    items: list[PlanItem] = []
    for name in names:
        items += foresight.items(project.graph.steps[name])
    return Plan(tuple(items))


def refuse_out_of_order(
    project: Project,
    targets: Sequence[str] | None,
    slices: Wanted,
    *,
    force: bool = False,
    gaps: bool = False,
) -> None:
    """ConflictError when slices asked for are made from earlier ones that are to be built and not asked for."""
    names = project.graph.select(targets)
    if not any(isinstance(step := project.graph.steps[name], SqlStep) and step.carries for name in names):
        return
    for item in plan(project, targets, slices=slices, force=force, gaps=gaps).items:
        if item.out_of_order:
            problem = f"`{item.step}` {item.slice} cannot be built now: it {item.reason}"
            hint = "begin with that day: `gamelake backfill` builds a span in order, `run` everything"
            if gaps and "left" in item.reason:
                hint = "`--force` restates a span whose SQL changed; `gamelake run` restates everything"
            raise ConflictError(problem, hint=hint)


def refuse_dateless(project: Project, targets: Sequence[str] | None) -> None:
    """UserError when none of the steps asked for is sliced by a date."""
    names = project.graph.select(targets)
    outputs = [project.graph.steps[name].outputs[0] for name in names]
    if not any(date_columns(output, output.slice_columns) for output in outputs):
        problem = f"none of {', '.join(f'`{target}`' for target in targets or names)} is sliced by a date"
        raise UserError(problem, hint="`gamelake run` builds it as a whole")


def selected(project: Project, targets: Sequence[str] | None, slices: Wanted = None) -> list[str]:
    """Names of the steps that a request concerns, in order.

    Raises for an unknown target, and UserError for a slice column that none of these steps has.
    """
    names = project.graph.select(targets)
    refuse_unset(project.graph.steps[name] for name in names)
    known = {column: None for name in names for column in _slice_columns(project.graph.steps[name])}
    parts = () if slices is None or isinstance(slices, Span | Needed) else slices
    for column in (name for part in parts for name, _ in part.keys):
        if column not in known:
            listed = ", ".join(f"`{name}`" for name in known) or "none"
            problem = f"no step to run has the slice column `{column}`, there are: {listed}"
            raise UserError(problem, hint=did_you_mean(column, known))
    return names


def _slice_columns(step: Step) -> tuple[str, ...]:
    return step.outputs[0].slice_columns  # all outputs of a step have the same


def forced_steps(project: Project, targets: Sequence[str] | None, *, force: bool) -> set[str]:
    """Steps that `--force` names: the targets themselves, not what they need; all without targets."""
    if not force:
        return set()
    if not targets:
        return set(project.graph.steps)
    return {name for target in targets for name in project.graph.named(target)}


class _Foresight:
    """Plans step after step, knowing which slices the steps before will have made or may have changed."""

    def __init__(
        self, project: Project, names: Sequence[str], forced: set[str], slices: Wanted, *, gaps: bool = False
    ) -> None:
        self._project = project
        self._names = frozenset(names)
        self._forced = forced
        self._slices = slices
        self._gaps = gaps
        self._known = Known(project)
        self._pending: dict[str, list[Slice]] = {}  # dataset → slices about to be (re)built
        self._unasked: dict[str, list[Slice]] = {}  # dataset → those that would be, had they been asked for

    def items(self, step: Step) -> list[PlanItem]:
        """Items of the next step in order; remembers them for those to come."""
        force = step.name in self._forced
        found = survey(self._project, step, force=force, known=self._known)
        feeds = [self._feed(reach) for reach in found.index.reaches.values()]
        by_slice = {item.slice: _depending(item, feeds) for item in found.items}
        for part, cause in self._coming(feeds).items():
            if part not in by_slice or by_slice[part].state is PlanState.WAITING:
                by_slice[part] = self._to_come(step, part, cause, feeds)
        for item in found.items:
            waits = item.state is PlanState.WAITING and by_slice[item.slice] is item
            gap = found.index.missing(item.slice) if waits else None
            if gap is not None:  # it may be about to be filled
                cause = self._project.graph.producers[gap[0]]
                by_slice[item.slice] = self._to_come(step, item.slice, cause, feeds)
        if found.index.own is not None:
            by_slice = {**self._unasked_before(step, found.index), **by_slice}
        ordered = [by_slice[part] for part in sorted(by_slice)]
        slices = needed_of(self._project.graph, step, self._slices, self._names)
        items = list(settled(found, ordered, slices, gaps=self._gaps))
        moving = [item.slice for item in items if item.is_work or item.state is PlanState.DEPENDS]
        self._pending |= {str(output.dataset): moving for output in step.outputs}
        if self._slices is not None:
            every = settled(found, ordered, None, gaps=self._gaps)
            later = [item.slice for item in every if item.is_work and item.slice not in set(moving)]
            self._unasked |= {str(output.dataset): later for output in step.outputs}
        return items

    def _unasked_before(self, step: Step, index: InputIndex) -> dict[Slice, PlanItem]:
        """Slices there would be if everything ran: one that carries state must not be built before them."""
        reaches = [reach for reach in index.reaches.values() if reach.whole]
        parts = {
            reach.back(reach.cut(part)) for reach in reaches for part in self._unasked.get(reach.dataset, ())
        }
        return {part: PlanItem(step.name, part, PlanState.MISSING, "not asked for") for part in parts}

    def _feed(self, reach: Reach) -> _Feed:
        pending = {reach.cut(part): part for part in reversed(self._pending.get(reach.dataset, []))}
        there = {reach.cut(part) for part in self._known.current(reach.dataset)} | pending.keys()
        return _Feed(reach, pending, there, reach.first_days(there))

    def _coming(self, feeds: Sequence[_Feed]) -> dict[Slice, str]:
        """Output slices that wait for pending slices of the inputs, and the step they wait for."""
        return {
            feed.reach.back(key): self._project.graph.producers[feed.reach.dataset]
            for feed in feeds
            if feed.reach.whole
            for key in feed.pending
        }

    def _to_come(self, step: Step, part: Slice, cause: str, feeds: Sequence[_Feed]) -> PlanItem:
        for feed in feeds:
            gap = feed.reach.missing(part, feed.there, feed.first)
            if gap is not None:
                reason = f"input {feed.reach.dataset} {gap} was never published"
                return PlanItem(step.name, part, PlanState.WAITING, reason)
        return PlanItem(step.name, part, PlanState.MISSING, f"after {cause}")


@dataclass(frozen=True)
class _Feed:
    """One input's slices, cut to the columns it shares with the output."""

    reach: Reach
    pending: Mapping[Slice, Slice]  # cut slice → a whole one behind it
    there: Collection[Slice]
    first: Mapping[Slice, str]


def _depending(item: PlanItem, feeds: Sequence[_Feed]) -> PlanItem:
    if item.state is not PlanState.FRESH:
        return item
    for feed in feeds:
        if not feed.pending or feed.reach.reading.current_state:
            continue
        for key in feed.reach.keys(item.slice):
            if key in feed.pending:
                reason = f"stays unless {feed.reach.dataset} {feed.pending[key]} comes out different"
                return replace(item, state=PlanState.DEPENDS, reason=reason)
    return item
