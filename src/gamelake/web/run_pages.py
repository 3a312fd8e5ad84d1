"""Run pages: the list, one run as it happens, starting and cancelling runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gamelake.errors import NotFoundError
from gamelake.http.context import PROBLEMS, FormDep, ProjectDep, StreamsDep
from gamelake.http.events import replay_after, stream_response
from gamelake.model.runs import RunState
from gamelake.present.pages import pages_of
from gamelake.web import catalogue, runs, start
from gamelake.web.models import PlanView, RunDetail, RunRequest, RunStarted, RunSummary, TaskInfo

if TYPE_CHECKING:
    from gamelake.pipeline.project import Project

router = APIRouter()


@router.get("/runs", include_in_schema=False)
def runs_page(request: Request, project: ProjectDep, state: RunState | None = None) -> Response:
    return pages_of(request).render(
        request,
        "core/runs.html",
        section="runs",
        rows=runs.recent(project, 100, state),
        chosen=state.value if state else "",
        states=[one.value for one in RunState],
        after=project.ledger.last_event(),
    )


@router.get("/parts/runs", include_in_schema=False)
def runs_part(request: Request, project: ProjectDep, state: RunState | None = None) -> Response:
    return pages_of(request).render(request, "core/runs_part.html", rows=runs.recent(project, 100, state))


@router.get("/parts/plan", include_in_schema=False)
def plan_part(request: Request, project: ProjectDep) -> Response:
    return pages_of(request).render(request, "core/plan_part.html", plan=start.plan_view(project, ask=False))


@router.post("/runs", include_in_schema=False)
def start_from_page(project: ProjectDep, form: FormDep) -> Response:
    targets = form.get("targets", "").replace(",", " ").split()
    started = start.start(project, RunRequest(targets=targets, force=form.get("force") == "on"))
    return RedirectResponse(started.page, status_code=303)


@router.get("/runs/{run_id}", include_in_schema=False)
def run_page(request: Request, project: ProjectDep, run_id: str) -> Response:
    return _run(request, project, run_id, "core/run.html")


@router.get("/runs/{run_id}/live", include_in_schema=False)
def run_part(request: Request, project: ProjectDep, run_id: str) -> Response:
    return _run(request, project, run_id, "core/run_part.html")


@router.get("/runs/{run_id}/tasks/{task_id}", include_in_schema=False)
def task_page(request: Request, project: ProjectDep, run_id: str, task_id: str) -> Response:
    partial = request.headers.get("hx-request") == "true"
    shown = runs.detail(project, run_id)
    task = _task(shown, task_id)
    checks = [check for check in shown.checks if check.step == task.step and check.slice in task.slices]
    return pages_of(request).render(
        request,
        "core/task_part.html" if partial else "core/task.html",
        section="runs",
        run=shown.run,
        task=task,
        checks=checks,
    )


@router.post("/runs/{run_id}/cancel", include_in_schema=False)
def cancel_from_page(project: ProjectDep, run_id: str) -> Response:
    project.ledger.request_cancel(run_id)
    return RedirectResponse(f"/runs/{run_id}", status_code=303)


@router.get("/api/v1/runs", tags=["runs"], summary="Newest runs", responses=PROBLEMS)
def list_runs(
    project: ProjectDep, limit: Annotated[int, Query(ge=1, le=500)] = 50, state: RunState | None = None
) -> list[RunSummary]:
    return runs.recent(project, limit, state)


@router.get("/api/v1/plan", tags=["runs"], summary="What a run would do now, and why", responses=PROBLEMS)
def get_plan(project: ProjectDep) -> PlanView:
    return start.plan_view(project)


@router.post(
    "/api/v1/runs",
    tags=["runs"],
    status_code=201,
    summary="Start a run in a process of its own",
    responses=PROBLEMS,
)
def start_run(project: ProjectDep, wanted: RunRequest) -> RunStarted:
    return start.start(project, wanted)


@router.get(
    "/api/v1/runs/{run_id}", tags=["runs"], summary="One run with tasks and checks", responses=PROBLEMS
)
def get_run(project: ProjectDep, run_id: str) -> RunDetail:
    return runs.detail(project, run_id)


@router.post(
    "/api/v1/runs/{run_id}/cancel",
    tags=["runs"],
    status_code=202,
    summary="Ask a run to stop",
    responses=PROBLEMS,
)
def cancel_run(project: ProjectDep, run_id: str) -> RunSummary:
    project.ledger.request_cancel(run_id)
    return runs.summary(project, project.ledger.run(run_id))


@router.get(
    "/api/v1/runs/{run_id}/events",
    tags=["runs", "events"],
    summary="What happens in a run, as server-sent events",
    responses={200: {"content": {"text/event-stream": {}}}, **PROBLEMS},
    response_class=Response,
)
def run_events(
    request: Request,
    project: ProjectDep,
    streams: StreamsDep,
    run_id: str,
    after: Annotated[int | None, Query(ge=0, description="Replay what has a higher sequence")] = None,
) -> Response:
    """From the run's first event on, or from `Last-Event-ID`; an `end` event closes the stream."""
    project.ledger.run(run_id)  # a 404 now, not a silent stream

    def ended() -> bool:
        return runs.has_ended(project, run_id)

    begin = replay_after(request, after, 0)
    return stream_response(runs.event_source(project, run_id), begin, streams=streams, ended=ended)


def _run(request: Request, project: Project, run_id: str, template: str) -> Response:
    shown = runs.detail(project, run_id)
    return pages_of(request).render(
        request,
        template,
        section="runs",
        detail=shown,
        run=shown.run,
        drawing=runs.drawing(project, shown),
        groups=runs.check_groups(shown.checks),
        known=set(catalogue.dataset_names(project)),
    )


def _task(shown: RunDetail, task_id: str) -> TaskInfo:
    for task in shown.tasks:
        if task.id == task_id:
            return task
    raise NotFoundError(f"run `{shown.run.id}` has no task `{task_id}`")
