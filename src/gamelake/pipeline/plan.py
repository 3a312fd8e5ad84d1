"""What would run, and why: wanted slices compared with the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gamelake.errors import UserError, did_you_mean
from gamelake.pipeline.assess import Known, PlanItem, PlanState, assess, chosen
from gamelake.pipeline.variables import refuse_unset

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gamelake.model.slices import Slice
    from gamelake.model.steps import Step
    from gamelake.pipeline.project import Project

__all__ = ["Plan", "PlanItem", "PlanState", "forced_steps", "plan", "selected"]


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
        return {"items": shown, "counts": self.counts(), "rows": sum(item.rows or 0 for item in self.work)}


def plan(
    project: Project,
    targets: Sequence[str] | None = None,
    *,
    force: bool = False,
    slices: Sequence[Slice] | None = None,
) -> Plan:
    """Compare wanted slices with the ledger. Reads the ledger only; changes nothing.

    `targets` are datasets, steps or layers (see `Graph.named`) and bring along what they need;
    `slices` keeps items that agree with one of them; `force` adds fresh items of the targets.
    """
    names = selected(project, targets, slices)
    foresight = _Foresight(project, forced_steps(project, targets, force=force), slices)
    items: list[PlanItem] = []
    for name in names:
        items += foresight.items(project.graph.steps[name])
    return Plan(tuple(items))


def selected(
    project: Project, targets: Sequence[str] | None, slices: Sequence[Slice] | None = None
) -> list[str]:
    """Names of the steps that a request concerns, in order.

    Raises for an unknown target, and UserError for a slice column that none of these steps has.
    """
    names = project.graph.select(targets)
    refuse_unset(project.graph.steps[name] for name in names)
    known = {column: None for name in names for column in _slice_columns(project.graph.steps[name])}
    for column in (name for part in slices or () for name, _ in part.keys):
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

    def __init__(self, project: Project, forced: set[str], slices: Sequence[Slice] | None) -> None:
        self._project = project
        self._forced = forced
        self._slices = slices
        self._known = Known(project)
        self._pending: dict[str, list[Slice]] = {}  # dataset → slices about to be (re)built

    def items(self, step: Step) -> list[PlanItem]:
        """Items of the next step in order; remembers them for those to come."""
        force = step.name in self._forced
        found = assess(self._project, step, force=force, slices=self._slices, known=self._known)
        feeds = [self._feed(step, dataset) for dataset in sorted({str(d) for d in step.inputs.values()})]
        by_slice = {item.slice: _depending(item, feeds) for item in found.items}
        for part, cause in self._coming(step, feeds).items():
            if part not in by_slice and chosen(part, self._slices):
                by_slice[part] = PlanItem(step.name, part, PlanState.MISSING, f"after {cause}")
        items = [by_slice[part] for part in sorted(by_slice)]
        moving = [item.slice for item in items if item.is_work or item.state is PlanState.DEPENDS]
        self._pending |= {str(output.dataset): moving for output in step.outputs}
        return items

    def _feed(self, step: Step, dataset: str) -> _Feed:
        available = self._project.graph.outputs[dataset].slice_columns
        shared = tuple(name for name in step.outputs[0].slice_columns if name in available)
        pending = {part.project(shared): part for part in reversed(self._pending.get(dataset, []))}
        there = {part.project(shared) for part in self._known.current(dataset)}
        return _Feed(dataset, shared, pending, there | pending.keys())

    def _coming(self, step: Step, feeds: Sequence[_Feed]) -> dict[Slice, str]:
        """Output slices that exist only once pending slices of the inputs do, and the step they wait for."""
        return {
            part: self._project.graph.producers[feed.dataset]
            for feed in feeds
            if feed.shared == step.outputs[0].slice_columns
            for part in feed.pending
            if all(part.project(other.shared) in other.there for other in feeds)
        }


@dataclass(frozen=True)
class _Feed:
    """One input's slices, cut to the columns it shares with the output."""

    dataset: str
    shared: tuple[str, ...]
    pending: Mapping[Slice, Slice]  # cut slice → a whole one behind it
    there: Collection[Slice]


def _depending(item: PlanItem, feeds: Sequence[_Feed]) -> PlanItem:
    if item.state is not PlanState.FRESH:
        return item
    for feed in feeds:
        cause = feed.pending.get(item.slice.project(feed.shared))
        if cause is not None:
            reason = f"stays unless {feed.dataset} {cause} comes out different"
            return replace(item, state=PlanState.DEPENDS, reason=reason)
    return item
