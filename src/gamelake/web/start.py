"""Starting runs from the web: what would run, and a process of its own that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.jobs.local import start_detached
from gamelake.pipeline.execute import RunRequest as Request
from gamelake.pipeline.plan import PlanState, plan
from gamelake.web.models import PlanItem, PlanView, RunRequest, RunStarted

if TYPE_CHECKING:
    from gamelake.pipeline.project import Project


MAX_ITEMS = 200


def plan_view(project: Project, *, ask: bool = True) -> PlanView:
    """What is missing or stale now; what is fresh is only counted. A page that is looked at often does not `ask`."""
    made = plan(project, ask=ask)
    shown = [item for item in made.items if item.state is not PlanState.FRESH]
    items = [
        PlanItem(
            step=item.step, slice=str(item.slice), state=item.state.value, reason=item.reason, rows=item.rows
        )
        for item in shown[:MAX_ITEMS]
    ]
    return PlanView(items=items, work=len(made.work), counts=made.counts(), truncated=len(shown) > MAX_ITEMS)


def start(project: Project, wanted: RunRequest) -> RunStarted:
    """Create the run and let a detached process do it; the page can be closed meanwhile."""
    request = Request(targets=tuple(wanted.targets), force=wanted.force)
    run_id = start_detached(project, request)
    return RunStarted(id=run_id, page=f"/runs/{run_id}", events=f"/api/v1/runs/{run_id}/events")
