"""The web app of one project: core pages, the packs' pages, and the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from gamelake import __version__
from gamelake.http.border import install_border
from gamelake.http.events import Streams
from gamelake.http.limits import HttpLimits
from gamelake.http.security import LOOPBACK
from gamelake.packs import load_target, project_packs
from gamelake.present.pages import STATIC, NavLink, Pages, Statics
from gamelake.web import datasets, home, query, ready, reference, run_pages
from gamelake.web.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from gamelake.http.problems import Problem
    from gamelake.packs import Pack
    from gamelake.pipeline.project import Project

TEMPLATES = Path(__file__).parent / "templates"
CORE_NAV = (
    NavLink("Home", "/", "home"),
    NavLink("Datasets", "/datasets", "datasets"),
    NavLink("Runs", "/runs", "runs"),
    NavLink("Query", "/query", "query"),
)


def create_app(
    project: Project,
    *,
    packs: Sequence[Pack] | None = None,
    limits: HttpLimits | None = None,
    hosts: frozenset[str] | None = LOOPBACK,
) -> FastAPI:
    """The app over an open project; whoever opened the project closes it after the app.

    `packs` None = those the project names. `hosts` None = answer for every host name.
    """
    chosen = project_packs(project.settings) if packs is None else packs
    app = FastAPI(
        title=f"gamelake: {project.settings.name}",
        version=__version__,
        description="What the pages show, as JSON. Errors are problem+json with a stable `code`.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the page at /api needs no foreign script
        redoc_url=None,
    )
    app.state.project = project
    app.state.limits = limits or HttpLimits()
    app.state.queries = Queries(project, app.state.limits)
    app.state.streams = Streams(app.state.limits.max_streams)
    app.state.readiness = ready.Readiness()
    app.state.panels = [link.panel for pack in chosen for link in pack.pages if link.panel]
    app.state.pages = _pages(project, chosen)
    install_border(app, page=problem_page, limits=app.state.limits, hosts=hosts)
    for module in (home, datasets, run_pages, query, ready, reference):
        app.include_router(module.router)
    for pack in chosen:
        for target in pack.routers:
            app.include_router(load_target(target))
        if pack.static:
            app.mount(f"/static/{pack.name}", Statics(directory=pack.static))
    app.mount("/static", Statics(directory=STATIC))
    return app


def problem_page(request: Request, problem: Problem) -> Response:
    """An error as a page; htmx gets only the part it can put in place."""
    pages: Pages = request.app.state.pages
    partial = request.headers.get("hx-request") == "true"
    template = "core/problem_part.html" if partial else "core/problem.html"
    return pages.render(request, template, status=problem.status, problem=problem)


def _pages(project: Project, packs: Sequence[Pack]) -> Pages:
    pack_links = [NavLink(link.title, link.path, link.path) for pack in packs for link in pack.pages]
    statics = {pack.name: pack.static for pack in packs if pack.static}
    return Pages(
        project=project.settings.name,
        now=project.clock.now,
        zone=project.settings.zone,
        folders=[TEMPLATES],
        packs={pack.name: pack.templates for pack in packs if pack.templates},
        statics=statics,
        nav=[CORE_NAV[0], *pack_links, *CORE_NAV[1:]],
        styles=[f"{name}/{file.name}" for name, folder in statics.items() for file in _styles(folder)],
    )


def _styles(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.css"))
