"""Whether everything a run needs answers: the ledger, the lake, and the systems behind connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from gamelake.errors import GamelakeError
from gamelake.http.context import ProjectDep
from gamelake.http.problems import TITLES, HttpError, Problem, problem_of

if TYPE_CHECKING:
    from gamelake.pipeline.project import Project

router = APIRouter()
KEPT_SECONDS = 3.0  # one look serves every probe within this time
_AT_ONCE = 8


class Part(BaseModel):
    """Something that a run needs, and that answers."""

    name: str = Field(description="`ledger`, `lake`, or `connection <name>`")
    detail: str = Field(description="What it said")
    breaker: str | None = Field(default=None, description="Of a connection: `closed`, `half-open` or `open`")


class Ready(BaseModel):
    """Every part answers."""

    status: str
    parts: list[Part]


class Readiness:
    """Looks at the parts of a project, at most once in a few seconds however many probes ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._until = 0.0
        self._found: tuple[list[Part], list[Problem]] = ([], [])

    def look(self, project: Project) -> tuple[list[Part], list[Problem]]:
        """Parts that answer, and a problem for each that does not."""
        with self._lock:
            if monotonic() >= self._until:
                looks = list(_looks(project))
                with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ready") as pool:
                    told = list(pool.map(_answer, looks))
                parts = [each for each in told if isinstance(each, Part)]
                self._found = parts, [each for each in told if isinstance(each, Problem)]
                self._until = monotonic() + KEPT_SECONDS
            return self._found


@router.get(
    "/ready",
    tags=["project"],
    summary="Whether ledger, lake and connections answer, so that runs can do their work",
    responses={
        503: {
            "model": Problem,
            "description": "A part does not answer; each that does not is one of `others`",
            "content": {"application/problem+json": {}},
        }
    },
)
def ready(request: Request, project: ProjectDep) -> Ready:
    """A connection is asked under its breaker: one that is open says so without asking."""
    readiness: Readiness = request.app.state.readiness
    parts, problems = readiness.look(project)
    if problems:
        names = ", ".join(str(problem.at) for problem in problems)
        error = HttpError(503, "not_ready", f"does not answer: {names}", problems[0].hint)
        error.problem = error.problem.model_copy(update={"others": problems})
        raise error
    return Ready(status="ready", parts=parts)


def _looks(project: Project) -> Iterator[tuple[str, Callable[[], Part]]]:
    yield "ledger", lambda: Part(name="ledger", detail=f"{project.ledger.last_event()} events")
    yield "lake", lambda: Part(name="lake", detail=f"{len(project.lake.datasets())} tables")
    for name in project.settings.connections:
        yield f"connection {name}", partial(_connection, project, name)


def _connection(project: Project, name: str) -> Part:
    remote = project.targets.remote(name)
    with remote.watched():
        words = project.targets.ping(name)
    return Part(name=f"connection {name}", detail=words, breaker=remote.state.value)


def _answer(look: tuple[str, Callable[[], Part]]) -> Part | Problem:
    name, ask = look
    try:
        return ask()
    except GamelakeError as error:
        told = problem_of(error)
        at: dict[str, Any] = {"at": name, "status": 503, "title": TITLES["not_ready"]}
        return told.model_copy(update=at)
