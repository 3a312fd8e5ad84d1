"""A run: ready steps in parallel, each as soon as what it reads is done."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gamelake.errors import CancelledRunError, GamelakeError
from gamelake.model.runs import RunState
from gamelake.model.slices import Slice
from gamelake.pipeline.events import Cancel, Reporter, seconds_since
from gamelake.pipeline.needs import Needs
from gamelake.pipeline.openlineage import LineageLog
from gamelake.pipeline.plan import forced_steps
from gamelake.pipeline.publish import recover
from gamelake.pipeline.reach import date_slice_columns, reads_earlier_days
from gamelake.pipeline.results import RunResult, StepResult
from gamelake.pipeline.scope import RunScope
from gamelake.pipeline.span import Span
from gamelake.pipeline.step_run import StepRun
from gamelake.pipeline.variables import apply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gamelake.pipeline.assess import Wanted
    from gamelake.pipeline.events import Listener
    from gamelake.pipeline.graph import Graph
    from gamelake.pipeline.project import Project


EVER = "0001-01-01"
"""First day of a span that begins with whatever there is."""


@dataclass(frozen=True)
class RunRequest:
    """What to build: targets with everything they need, all steps without any."""

    targets: tuple[str, ...] = ()
    slices: tuple[Slice, ...] | None = None
    force: bool = False
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    days: tuple[str, str] | None = None  # a backfill: first and last day, whatever the date column is called
    at_once: int = 1  # batches of one step at the same time
    engine: str | None = None  # of SQL steps; None = the project's
    with_needs: bool = False  # the targets' slices, and whatever slices they are made from
    alone: bool = False  # the targets' steps, and none of those they need
    restate: bool = (
        False  # of days: also what a change of its own step made stale, which a backfill leaves alone
    )

    @property
    def gaps(self) -> bool:
        """True when what a change of its own step made stale is left alone."""
        return self.days is not None and not self.force and not self.restate

    def wanted(self, graph: Graph) -> Wanted:
        """The slices asked for, as plan and run take them."""
        if self.with_needs:
            return Needs.of(
                graph, [n for target in self.targets for n in graph.named(target)], self.slices or ()
            )
        if self.days is None:
            return self.slices
        return Span(*self.days, date_slice_columns(graph), self.slices)

    def to_json(self) -> dict[str, Any]:
        """The request as the ledger keeps it."""
        slices = None if self.slices is None else [str(part) for part in self.slices]
        body: dict[str, Any] = {"targets": list(self.targets), "slices": slices, "force": self.force}
        if self.variables:
            body["variables"] = dict(self.variables)
        if self.days is not None:
            body |= {"from": self.days[0], "to": self.days[1], "at_once": self.at_once}
        if self.restate:
            body["restate"] = True
        if self.engine:
            body["engine"] = self.engine
        if self.with_needs:
            body["with_needs"] = True
        if self.alone:
            body["alone"] = True
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> RunRequest:
        """Read what `to_json` gave."""
        slices = body.get("slices")
        parsed = None if slices is None else tuple(Slice.parse(text) for text in slices)
        days = (body["from"], body["to"]) if body.get("from") and body.get("to") else None
        return cls(
            tuple(body.get("targets") or ()),
            parsed,
            bool(body.get("force")),
            dict(body.get("variables") or {}),
            days,
            int(body.get("at_once", 1)),
            body.get("engine"),
            bool(body.get("with_needs")),
            bool(body.get("alone")),
            bool(body.get("restate")),
        )

    @property
    def title(self) -> str:
        """What the run is called in lists."""
        about = ", ".join(self.targets) or "everything"
        restated = self.days is not None and self.restate
        verb = "rebuild" if self.force else "run" if self.days is None or restated else "backfill"
        days = "" if self.days is None else f" from {self.days[0]} to {self.days[1]}"
        if restated and self.days is not None and self.days[0] == EVER:
            days = f" to {self.days[1]}"
        where = f" for {', '.join(map(str, self.slices))}" if self.slices else ""
        needs = " and what it is made from" if self.with_needs else " alone" if self.alone else ""
        given = ", ".join(f"{name}={value}" for name, value in self.variables.items())
        return f"{verb} {about}{days}{where}{needs}{f' with {given}' if given else ''}"

    def bound(self, project: Project) -> RunRequest:
        """The request with its variables given to the project's layouts, and the slices they choose.

        A day that is made from days before it brings these along, as far as they are missing or stale.
        """
        made = self
        if self.variables:
            slices = apply(project, self.variables, self.targets, self.slices)
            is_bound = self.days is not None and self.days[0] == EVER  # before: its day is in the span
            made = self if self.with_needs or is_bound else replace(self, slices=slices)
        if (
            self.force
            or self.alone
            or self.with_needs
            or not (self.variables or self.restate)
            or not reads_earlier_days(project.graph, self.targets)
        ):
            return made
        if self.days is not None:
            return replace(made, days=(EVER, self.days[1])) if self.restate else made
        day = _only_day(made, project.graph) if self.slices is None else None
        return made if day is None else replace(made, slices=None, days=(EVER, day), restate=True)


def _only_day(request: RunRequest, graph: Graph) -> str | None:
    """The day that variables chose, when they chose one and nothing else."""
    if request.slices is None or len(request.slices) != 1 or request.days is not None:
        return None
    keys = request.slices[0].as_dict()
    days = set(keys.values())
    return days.pop() if len(days) == 1 and keys.keys() <= date_slice_columns(graph) else None


def execute(
    project: Project,
    request: RunRequest,
    *,
    run_id: str,
    listener: Listener | None = None,
    cancel: Cancel | None = None,
) -> RunResult:
    """Build what is missing or stale. The run must exist; its state is the caller's to move.

    Failed slices stop only what reads them. A cancel is seen between slices; what was published stays.
    """
    start = project.clock.monotonic()
    cancel = cancel or Cancel()
    recovered = len(recover(project))
    lineage = LineageLog(project, run_id, listener)
    names = project.graph.select(request.targets, alone=request.alone)
    scope = RunScope(
        project,
        project.sql_engine(request.engine),
        run_id,
        Reporter(project.ledger, project.clock, run_id, lineage),
        cancel,
        forced=frozenset(forced_steps(project, request.targets, force=request.force)),
        names=frozenset(names),
        slices=request.wanted(project.graph),
        gaps=request.gaps,
        at_once=request.at_once,
    )
    try:
        steps, error = _Schedule(scope, names).run()
    except BaseException as err:
        lineage.close(str(err) or type(err).__name__, cancelled=isinstance(err, KeyboardInterrupt))
        raise
    lineage.close(error.problem if error else None, cancelled=isinstance(error, CancelledRunError))
    result = RunResult(run_id, RunState.SUCCEEDED, steps, recovered, error=error)
    if isinstance(error, CancelledRunError):
        result.state = RunState.CANCELLED
    elif error is not None:
        result.state = RunState.FAILED
    result.seconds = seconds_since(project.clock, start)
    return result


class _Schedule:
    """Starts a step when all steps upstream of it (in this run) have ended."""

    def __init__(self, scope: RunScope, names: list[str]) -> None:
        self._scope = scope
        self._graph = scope.project.graph
        self._names = names
        self._results: dict[str, StepResult] = {}
        self._running: dict[Future[StepResult], str] = {}
        self._cancelled: CancelledRunError | None = None

    def run(self) -> tuple[list[StepResult], GamelakeError | None]:
        with ThreadPoolExecutor(self._scope.project.parallel, thread_name_prefix="step") as pool:
            try:
                self._loop(pool)
            except BaseException:
                self._scope.cancel.ask()  # do not wait for hours behind a failed scheduler
                raise
        results = [self._results[name] for name in self._names if name in self._results]
        failed = (failure.error for result in results for failure in result.failed)
        return results, self._cancelled or next(failed, None)

    def _loop(self, pool: ThreadPoolExecutor) -> None:
        waiting = list(self._names)
        while waiting or self._running:
            for name in [name for name in waiting if self._is_ready(name)]:
                waiting.remove(name)
                step_run = StepRun(self._scope, self._graph.steps[name], self._names.index(name))
                self._running[pool.submit(step_run.run)] = name
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                self._take(self._running.pop(future), future)
            if self._cancelled:
                waiting.clear()

    def _is_ready(self, name: str) -> bool:
        selected = set(self._names)
        return all(other in self._results for other in self._graph.upstream(name) & selected)

    def _take(self, name: str, future: Future[StepResult]) -> None:
        try:
            self._results[name] = future.result()
        except CancelledRunError as err:
            self._cancelled = err
