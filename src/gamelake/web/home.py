"""Home: the project at a glance, and the stream of everything that happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gamelake.http.context import PROBLEMS, ProjectDep, StreamsDep
from gamelake.http.events import replay_after, stream_response
from gamelake.present.pages import pages_of
from gamelake.web import catalogue, runs
from gamelake.web.models import Home

if TYPE_CHECKING:
    from gamelake.pipeline.project import Project

router = APIRouter()
_LAYERS = ("gold", "silver", "bronze")  # what people come for first


@router.get("/", include_in_schema=False)
def home_page(request: Request, project: ProjectDep) -> Response:
    return pages_of(request).render(request, "core/home.html", section="home", **_context(request, project))


@router.get("/parts/home", include_in_schema=False)
def home_part(request: Request, project: ProjectDep) -> Response:
    return pages_of(request).render(request, "core/home_part.html", **_context(request, project))


@router.get("/api/v1/home", tags=["project"], summary="The project at a glance", responses=PROBLEMS)
def home(project: ProjectDep) -> Home:
    return _home(project)


@router.get(
    "/api/v1/events",
    tags=["events"],
    summary="Everything that happens, as server-sent events",
    responses={200: {"content": {"text/event-stream": {}}}, **PROBLEMS},
    response_class=Response,
)
def events(
    request: Request,
    project: ProjectDep,
    streams: StreamsDep,
    after: Annotated[
        int | None, Query(ge=0, description="Replay what has a higher sequence; absent = only what comes")
    ] = None,
) -> Response:
    """`Last-Event-ID` continues where a client was; every `data` is one JSON object with its `kind`."""
    start = replay_after(request, after, project.ledger.last_event())
    return stream_response(runs.event_source(project, None), start, streams=streams)


def _home(project: Project) -> Home:
    after = project.ledger.last_event()
    return Home(
        project=project.settings.name,
        zone=project.settings.zone,
        datasets=catalogue.summaries(project),
        runs=runs.recent(project, 8),
        last_event=after,
    )


def _context(request: Request, project: Project) -> dict[str, Any]:
    shown = _home(project)
    layers = [(layer, [row for row in shown.datasets if row.layer == layer]) for layer in _LAYERS]
    return {
        "home": shown,
        "layers": layers,
        "many_packs": len({row.pack for row in shown.datasets}) > 1,
        "panels": request.app.state.panels,
    }
