"""What would run, and why: wanted slices compared with the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from gamelake.errors import ConflictError, UserError, did_you_mean
from gamelake.model.schema import ColumnType
from gamelake.model.steps import SqlStep
from gamelake.pipeline.assess import PlanItem, PlanState, settled, survey
from gamelake.pipeline.known import Known
from gamelake.pipeline.needed import Needed, needed_of
from gamelake.pipeline.needs import Needs, Windows
from gamelake.pipeline.reach import date_columns
from gamelake.pipeline.span import Span
from gamelake.pipeline.variables import refuse_unset

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gamelake.model.slices import Slice
    from gamelake.model.steps import Step
    from gamelake.pipeline.assess import Assessment, Wanted
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
        return {state.value: number for state, number in Counter(i.state for i in self.items).items()}

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
    alone: bool = False,
    ask: bool = True,
) -> Plan:
    """Compare wanted slices with the ledger, and with what other systems say they have; changes nothing.

    Without `ask` they are not asked: what was read of them counts as what is there.

    `targets` are datasets, steps or layers (see `Graph.named`) and bring along what they need;
    `slices` keeps items that agree with one of them; `force` adds fresh items of the targets;
    `gaps` leaves alone what only a change of its own step made stale; `alone` takes the targets as they are,
    without what they need.
    """
    names = selected(project, targets, slices, alone=alone)
    steps = [project.graph.steps[name] for name in names]
    forced = forced_steps(project, targets, force=force)
    foresight = _Foresight(project, steps, forced, slices, gaps=gaps, ask=ask)
    items: list[PlanItem] = []
    for step in steps:
        items += foresight.items(step)
    return Plan(tuple(items))


def refuse_out_of_order(
    project: Project,
    targets: Sequence[str] | None,
    slices: Wanted,
    *,
    force: bool = False,
    gaps: bool = False,
    alone: bool = False,
) -> None:
    """ConflictError when slices asked for are made from earlier ones that are to be built and not asked for."""
    names = project.graph.select(targets, alone=alone)
    if not any(isinstance(step := project.graph.steps[name], SqlStep) and step.carries for name in names):
        return
    for item in plan(project, targets, slices=slices, force=force, gaps=gaps, alone=alone).items:
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


def selected(
    project: Project, targets: Sequence[str] | None, slices: Wanted = None, *, alone: bool = False
) -> list[str]:
    """Names of the steps that a request concerns, in order.

    Raises for an unknown target, and UserError for a slice column that none of these steps has.
    """
    names = project.graph.select(targets, alone=alone)
    refuse_unset(project.graph.steps[name] for name in names)
    outputs = [project.graph.steps[name].outputs[0] for name in names]  # all of a step are sliced alike
    known = {column: output.schema[column].type for output in outputs for column in output.slice_columns}
    parts = () if slices is None or isinstance(slices, (Span, Needed, Needs, Windows)) else slices
    asked = [pair for part in parts for pair in part.keys]
    for column, _ in asked:
        if column not in known:
            listed = ", ".join(f"`{name}`" for name in known) or "none"
            problem = f"no step to run has the slice column `{column}`, there are: {listed}"
            raise UserError(problem, hint=did_you_mean(column, known))
    for column, value in asked:
        _refuse_no_value(column, value, known[column])
    return names


def _refuse_no_value(column: str, value: str, kind: ColumnType) -> None:
    """UserError for a text that no slice can have: nothing would be built, and nothing said."""
    hints = {ColumnType.DATE: "write it as 2026-01-31", ColumnType.BOOL: "write `true` or `false`"}
    try:
        match kind:
            case ColumnType.DATE:
                fits = date.fromisoformat(value).isoformat() == value
            case ColumnType.INT | ColumnType.BIGINT:
                fits = str(int(value)) == value
            case ColumnType.BOOL:
                fits = value in {"true", "false"}
            case _:
                fits = True
    except ValueError:
        fits = False
    if not fits:
        problem = f"`{column}` is {kind.value}, and `{value}` is no value of it"
        raise UserError(problem, hint=hints.get(kind, "write it in digits"))


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
        self,
        project: Project,
        steps: Sequence[Step],
        forced: set[str],
        slices: Wanted,
        *,
        gaps: bool = False,
        ask: bool = True,
    ) -> None:
        self._project = project
        self._names = frozenset(step.name for step in steps)
        self._forced = forced
        self._slices = slices
        self._gaps = gaps
        self._ask = ask
        self._known = Known(project, steps)
        self._pending: dict[str, list[Slice]] = {}  # dataset → slices about to be (re)built
        self._unasked: dict[str, list[Slice]] = {}  # dataset → those that would be, had they been asked for
        self._coming: dict[tuple[str, tuple[str, ...]], _Coming] = {}  # by dataset and columns shared

    def items(self, step: Step) -> list[PlanItem]:
        """Items of the next step in order; remembers them for those to come."""
        force = step.name in self._forced
        slices = needed_of(self._project.graph, step, self._slices, self._names)
        found = survey(self._project, step, force=force, known=self._known, slices=slices, ask=self._ask)
        feeds = [self._feed(reach) for reach in found.index.reaches.values()]
        by_slice = {item.slice: item for item in found.items}
        for part, reason in _depending(by_slice, feeds).items():
            by_slice[part] = by_slice[part]._replace(state=PlanState.DEPENDS, reason=reason)
        by_slice |= self._to_come(step, self._waiting_for(found, feeds, by_slice), feeds)
        if found.index.own is not None:
            by_slice = {**self._unasked_before(step, found.index), **by_slice}
        in_order = by_slice if len(by_slice) == len(found.items) else sorted(by_slice)
        ordered = [by_slice[part] for part in in_order]
        items = list(settled(found, ordered, slices, gaps=self._gaps))
        moving = [item.slice for item in items if item.moves]
        self._pending |= {str(output.dataset): moving for output in step.outputs}
        if self._slices is not None:
            every = settled(found, ordered, None, gaps=self._gaps)
            asked = set(moving)
            later = [item.slice for item in every if item.is_work and item.slice not in asked]
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
        key = reach.dataset, reach.shared
        if key not in self._coming:  # many steps read the same
            pending = {reach.cut(part): part for part in reversed(self._pending.get(reach.dataset, []))}
            now = self._known.cut(reach).keys()
            self._coming[key] = _Coming(pending, now | pending.keys() if pending else now)
        coming = self._coming[key]
        return _Feed(reach, coming.pending, coming.there, reach.first_days(coming.there))

    def _waiting_for(
        self, found: Assessment, feeds: Sequence[_Feed], by_slice: Mapping[Slice, PlanItem]
    ) -> dict[Slice, str]:
        """Output slices that may come with those of the inputs, and the step they wait for."""
        producers = self._project.graph.producers
        waiting = [part for part, item in by_slice.items() if item.state is PlanState.WAITING]
        gaps = found.index.gaps(waiting) if waiting else {}
        causes = {part: producers[dataset] for part, (dataset, _) in gaps.items()}
        for feed in feeds:
            if feed.reach.whole:
                cause = producers[feed.reach.dataset]
                coming = dict.fromkeys(map(feed.reach.back, feed.pending), cause)
                causes |= {part: cause for part in coming if part not in by_slice}
                causes |= {part: cause for part in gaps if part in coming}
        return causes

    def _to_come(
        self, step: Step, causes: Mapping[Slice, str], feeds: Sequence[_Feed]
    ) -> dict[Slice, PlanItem]:
        """Items of slices that are made after what they wait for, unless more than that is missing."""
        gaps: dict[Slice, tuple[str, Slice]] = {}
        for feed in reversed(feeds):  # the first one counts
            missing = feed.reach.gaps(causes, feed.there, feed.first)
            gaps |= {part: (feed.reach.dataset, gap) for part, gap in missing.items()}
        reasons = {cause: f"after {cause}" for cause in set(causes.values())}
        items = {
            part: PlanItem(step.name, part, PlanState.MISSING, reasons[cause])
            for part, cause in causes.items()
        }
        for part, (dataset, gap) in gaps.items():
            reason = f"input {dataset} {gap} was never published"
            items[part] = PlanItem(step.name, part, PlanState.WAITING, reason)
        return items


@dataclass(frozen=True)
class _Coming:
    """Slices of a dataset, cut to some columns, once the steps before have run."""

    pending: Mapping[Slice, Slice]  # cut slice → a whole one behind it
    there: Collection[Slice]


@dataclass(frozen=True)
class _Feed:
    """One input's slices, cut to the columns it shares with the output."""

    reach: Reach
    pending: Mapping[Slice, Slice]  # cut slice → a whole one behind it
    there: Collection[Slice]
    first: Mapping[Slice, str]


def _depending(by_slice: Mapping[Slice, PlanItem], feeds: Sequence[_Feed]) -> dict[Slice, str]:
    """Fresh slices that read what is about to be built, and what that is."""
    found: dict[Slice, str] = {}
    for feed in reversed(feeds):  # the first one counts
        if feed.reach.reading.current_state:
            continue
        for part, key in feed.reach.touched(by_slice, feed.pending):
            if by_slice[part].state is PlanState.FRESH:
                found[part] = f"stays unless {feed.reach.dataset} {feed.pending[key]} comes out different"
    return found
