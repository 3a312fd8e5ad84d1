"""One shape for every HTTP error, and one mapping from exceptions to it."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import HTTPException as FastAPIError
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from gamelake.errors import GamelakeError, OperatorError, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    ProblemPage = Callable[[Request, "Problem"], Response]

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
TITLES = {
    "user_error": "The request cannot be done as asked",
    "layout_error": "A layout or project file is wrong",
    "input_error": "What was given cannot be read",
    "not_found": "There is no such thing",
    "conflict": "The present state forbids this",
    "check_failed": "A blocking check failed",
    "store_error": "A store did not answer",
    "lease_lost": "Somebody else holds this now",
    "missing_extra": "An optional dependency is missing",
    "operator_error": "The machine did not do its part",
    "invalid_request": "The request is malformed",
    "method_not_allowed": "This address does not take that method",
    "too_large": "The request or its answer is larger than a limit allows",
    "cross_origin": "The request comes from another site",
    "wrong_host": "The request names a host this server does not serve",
    "not_ready": "A part that runs need does not answer",
    "too_busy": "The server is at a limit",
    "timeout": "The work took longer than a limit allows",
    "names_hidden": "Names of people are hidden here",
    "internal_error": "Something went wrong on our side",
}


class Problem(BaseModel):
    """An error as the API returns it (RFC 9457 with `code`, `hint` and `at`)."""

    code: str = Field(description="Stable machine-readable name of the kind of error")
    title: str = Field(description="What kind of error this is, the same for every occurrence")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What is wrong this time, with what was seen and expected")
    hint: str | None = Field(default=None, description="What to do about it")
    at: str | None = Field(default=None, description="File, line, key or parameter that is wrong")
    others: list[Problem] = Field(default_factory=list, description="Further errors of the same request")


class HttpError(FastAPIError):
    """An error that only exists at the HTTP edge: limits, origins, hosts.

    FastAPI lets its own kind through when reading a body fails, and hides all others behind a 400.
    """

    def __init__(self, status: int, code: str, detail: str, hint: str | None = None) -> None:
        super().__init__(status, detail)
        self.problem = Problem(code=code, title=TITLES[code], status=status, detail=detail, hint=hint)


def problem_of(error: Exception) -> Problem:
    """The problem that tells a caller about this error; unexpected ones say nothing about our insides."""
    if isinstance(error, HttpError):
        return error.problem
    if isinstance(error, GamelakeError):
        return _from_tree(error)
    if isinstance(error, RequestValidationError):
        return _from_validation(error)
    if isinstance(error, HTTPException):
        return _from_starlette(error)
    return Problem(
        code="internal_error",
        title=TITLES["internal_error"],
        status=500,
        detail="the server could not finish this request; the cause is in its log",
        hint="try again; if it stays, report it with the time of this request",
    )


def install_problems(app: FastAPI, page: ProblemPage | None = None) -> None:
    """Answer every error as a problem: JSON for the API, `page` for people who asked for HTML."""

    async def answer(request: Request, error: Exception) -> Response:
        return respond(request, error, page)

    for kind in (GamelakeError, HttpError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def respond(request: Request, error: Exception, page: ProblemPage | None = None) -> Response:
    """The response for an error; ours are logged, the caller's are not."""
    problem = problem_of(error)
    if problem.status >= 500:
        expected = isinstance(error, (OperatorError, HttpError))
        log.error(
            "request failed: %s %s: %s",
            request.method,
            request.url.path,
            error,
            exc_info=None if expected else error,
        )
    headers = dict(getattr(error, "headers", None) or {})
    if problem.status == 503:
        headers["Retry-After"] = "1"
    if page is not None and wants_html(request):
        made = page(request, problem)
        made.headers.update(headers)
        return made
    content = problem.model_dump(exclude_none=True, exclude_defaults=True) | {"status": problem.status}
    return JSONResponse(content, problem.status, headers, media_type=PROBLEM_JSON)


def wants_html(request: Request) -> bool:
    """True for a browser's page; the API always speaks JSON."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


class BorderMiddleware:
    """The request border: whatever nobody else caught becomes a 500 without details, once."""

    def __init__(self, app: ASGIApp, page: ProblemPage | None = None) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            from starlette.requests import Request

            made = respond(Request(scope), error, self._page)
            if not started:
                await made(scope, receive, send)


def _from_tree(error: GamelakeError) -> Problem:
    others = [_from_tree(other) for other in getattr(error, "others", ())]
    return Problem(
        code=error.code,
        title=TITLES.get(error.code, TITLES["user_error"]),
        status=error.http_status,
        detail=error.problem,
        hint=error.hint,
        at=_public_place(error.at),
        others=others,
    )


def _public_place(at: Place | None) -> str | None:
    """The place without the folders of this machine: a caller needs the file's name only."""
    if at is None:
        return None
    name = at.file.replace("\\", "/").rsplit("/", 1)[-1] if at.file and at.file.startswith("/") else at.file
    return str(Place(name, at.line, at.key))


def _from_validation(error: RequestValidationError) -> Problem:
    first, *rest = [_one_invalid(entry) for entry in error.errors()] or [_one_invalid({})]
    return first.model_copy(update={"others": rest})


def _one_invalid(entry: dict[str, Any]) -> Problem:
    place = ".".join(str(part) for part in entry.get("loc", ()))
    seen = entry.get("input")
    shown = f", seen `{str(seen)[:80]}`" if isinstance(seen, (str, int, float)) else ""
    message = str(entry.get("msg", "not what was expected"))
    return Problem(
        code="invalid_request",
        title=TITLES["invalid_request"],
        status=422,
        detail=f"{message[:1].lower()}{message[1:]}{shown}",
        at=place or None,
    )


def _from_starlette(error: HTTPException) -> Problem:
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 503: "too_busy"}
    code = codes.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal_error")
    phrase = HTTPStatus(error.status_code).phrase
    told = str(error.detail) if error.detail != phrase else ""
    detail = told or {"not_found": "there is no page at this address"}.get(code, phrase.lower())
    return Problem(code=code, title=TITLES[code], status=error.status_code, detail=detail)
