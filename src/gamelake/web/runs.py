"""Runs: what they did, their tasks as a graph, starting and cancelling them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from gamelake.errors import NotFoundError
from gamelake.http.events import Event
from gamelake.present import formats
from gamelake.web.catalogue import check_info, steps_of
from gamelake.web.graph import Drawing, Node, draw
from gamelake.web.models import CheckGroup, CheckInfo, Publication, RunDetail, RunSummary, TaskInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gamelake.ledger.rows import EventRow, RunRow, TaskRow
    from gamelake.model.runs import RunState
    from gamelake.model.steps import Step
    from gamelake.pipeline.project import Project

MAX_CHECKS = 500
# a step's state is the first of these that one of its tasks has
_STRONGEST = ("failed", "running", "staged", "audited", "interrupted", "queued", "succeeded", "skipped")


def summary(project: Project, row: RunRow) -> RunSummary:
    """A run in one line; a live run's seconds count up to now."""
    end = row.ended_at or project.clock.now()
    seconds = (end - row.started_at).total_seconds() if row.started_at else None
    return RunSummary(
        id=row.id,
        kind=row.kind,
        title=row.title,
        state=row.state.value,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        seconds=seconds,
        live=not row.state.ended,
    )


def recent(project: Project, limit: int, state: RunState | None = None) -> list[RunSummary]:
    """The newest runs; a run whose process died shows as interrupted, not as running for ever."""
    project.ledger.interrupt_dead_runs()
    return [summary(project, row) for row in project.ledger.runs(limit=limit, state=state)]


def detail(project: Project, run_id: str) -> RunDetail:
    """One run with all it did so far."""
    after = project.ledger.last_event()  # first: what happens while we read is told again, never missed
    project.ledger.interrupt_dead_runs()
    row = project.ledger.run(run_id)
    return RunDetail(
        run=summary(project, row),
        request=row.request,
        error=row.error,
        cancel_requested=row.cancel_requested,
        tasks=[_task(task) for task in project.ledger.tasks(run_id)],
        checks=[
            check_info(check, rows=not project.settings.pseudonyms)
            for check in project.ledger.checks(run_id=run_id, limit=MAX_CHECKS)
        ],
        published=[
            Publication(
                dataset=version.dataset,
                slice=str(version.slice),
                version=version.version,
                rows=version.rows,
                bytes=version.bytes,
            )
            for version in project.ledger.published_by(run_id)
        ],
        last_event=after,
    )


def check_groups(checks: Sequence[CheckInfo]) -> list[CheckGroup]:
    """Checks of a run with their slices folded, those in trouble first."""
    found: dict[tuple[str, str], list[CheckInfo]] = defaultdict(list)
    for check in checks:
        found[check.dataset, check.name].append(check)
    rank = {"failed": 0, "warning": 1, "passed": 2}
    groups = []
    for (dataset, name), results in found.items():
        worst = min(results, key=lambda one: (rank[one.outcome], -abs(one.value)))
        passed = sum(one.passed for one in results)
        groups.append(
            CheckGroup(
                dataset=dataset,
                name=name,
                outcome=worst.outcome,
                passed=passed,
                total=len(results),
                worst=worst,
            )
        )
    return sorted(groups, key=lambda group: (rank[group.outcome], group.dataset, group.name))


def drawing(project: Project, shown: RunDetail) -> Drawing:
    """The steps of a run, each in the state of its tasks, with those it has not come to; removed steps are kept."""
    states: dict[str, list[TaskInfo]] = defaultdict(list)
    for task in shown.tasks:
        states[task.step].append(task)
    for name in _asked_for(project, shown):
        states.setdefault(name, [])
    steps = {step.name: step for step in steps_of(project)}
    writers = {str(output.dataset): step.name for step in steps.values() for output in step.outputs}
    idle = "queued" if shown.run.live else "unchanged"
    nodes = [_node(name, steps.get(name), tasks, idle) for name, tasks in states.items()]
    edges = [
        (writers[str(read)], name)
        for name in states
        if name in steps
        for read in steps[name].inputs.values()
        if str(read) in writers
    ]
    return draw(nodes, edges)


def _asked_for(project: Project, shown: RunDetail) -> list[str]:
    """Steps a run will come to; none for an import, or when its targets are no longer there."""
    if shown.run.kind != "run" or "targets" not in shown.request:
        return []
    try:
        return project.graph.select(shown.request["targets"])
    except NotFoundError:
        return []


def event_source(project: Project, run_id: str | None) -> Callable[[int], list[Event]]:
    """Ledger events as stream events; unnamed, so that one listener hears every kind."""

    def fetch(after: int) -> list[Event]:
        return [_event(row) for row in project.ledger.events(after, run_id=run_id)]

    return fetch


def has_ended(project: Project, run_id: str) -> bool:
    """True when nothing more will happen to this run."""
    return project.ledger.run(run_id).state.ended


def _event(row: EventRow) -> Event:
    data: dict[str, Any] = {
        "kind": row.kind,
        "at": row.at.isoformat(),
        "run_id": row.run_id,
        "data": row.data,
    }
    return Event(row.seq, "", data)


def _task(row: TaskRow) -> TaskInfo:
    return TaskInfo(
        id=row.id,
        step=row.step,
        state=row.state,
        slices=list(row.slices),
        rows=row.rows,
        seconds=row.seconds,
        sql=row.sql,
        error=row.error,
        detail={
            key: value for key, value in row.detail.items() if key != "traceback"
        },  # ours to read, in the log
    )


def _node(name: str, step: Step | None, tasks: Sequence[TaskInfo], idle: str) -> Node:
    present = {task.state for task in tasks}
    state = next((one for one in _STRONGEST if one in present), next(iter(present), idle))
    slices = sum(len(task.slices) for task in tasks)
    rows = sum(task.rows or 0 for task in tasks)
    note = f"{formats.plural(slices, 'slice')}, {formats.number(rows)} rows" if tasks else idle
    layer = step.outputs[0].dataset.layer.value if step else _layer_in(name)
    return Node(
        id=name, title=name.rsplit(".", 1)[-1], layer=layer, note=note, state=state, href=f"#step-{name}"
    )


def _layer_in(name: str) -> str:
    found = [part for part in name.split(".") if part in {"bronze", "silver", "gold"}]
    return found[0] if found else "bronze"
