"""The API's own page, made from its OpenAPI description, and whether the server is well."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from gamelake.http.context import ProjectDep
from gamelake.present.pages import pages_of

router = APIRouter()


class Alive(BaseModel):
    """The server answers and its ledger can be read."""

    status: str
    last_event: int


@router.get("/health", tags=["project"], summary="Whether the server and its ledger answer")
def health(project: ProjectDep) -> Alive:
    return Alive(status="ok", last_event=project.ledger.last_event())


@router.get("/api", include_in_schema=False)
def api_page(request: Request) -> Response:
    description = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups[tag].append({"path": path, "method": method.upper(), "operation": operation})
    return pages_of(request).render(request, "core/api.html", groups=dict(groups), info=description["info"])
