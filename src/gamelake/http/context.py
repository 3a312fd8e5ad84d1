"""What a route is given from the app it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import Request

from gamelake.http.events import Streams
from gamelake.http.limits import HttpLimits
from gamelake.http.problems import HttpError, Problem
from gamelake.pipeline.project import Project

FORM = "application/x-www-form-urlencoded"
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": Problem,
        "description": "The caller can mend it",
        "content": {"application/problem+json": {}},
    }
}


def project_of(request: Request) -> Project:
    """The open project the app serves."""
    return cast("Project", request.app.state.project)


def limits_of(request: Request) -> HttpLimits:
    """The limits the app was made with."""
    return cast("HttpLimits", request.app.state.limits)


def streams_of(request: Request) -> Streams:
    """The app's open event streams."""
    return cast("Streams", request.app.state.streams)


def own_site_of(request: Request) -> None:
    """Refuse work that costs much when a page of another site asks for it, though it could not read the answer."""
    site = request.headers.get("sec-fetch-site")
    if site not in {None, "same-origin", "none"}:
        raise HttpError(
            403, "cross_origin", f"a page elsewhere (`{site[:20]}`) may not run queries here",
            "open the query page of this server itself",
        )  # fmt: skip


async def form_of(request: Request) -> Mapping[str, str]:
    """Fields of a form post; the last one wins when a name repeats."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise HttpError(
            415, "invalid_request", f"the body is `{kind or 'without a type'}`, expected `{FORM}`"
        )
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError as error:
        raise HttpError(422, "invalid_request", "the body is not a form in UTF-8") from error


def open_rows_of(project: Annotated[Project, Depends(project_of)]) -> Project:
    """The project, for routes that show raw rows: refused where names of people are hidden."""
    if project.settings.pseudonyms:
        raise HttpError(
            403, "names_hidden", "raw rows may hold names of people, which this server hides",
            "the pages of the packs show the same data with invented names",
        )  # fmt: skip
    return project


OpenRowsDep = Annotated[Project, Depends(open_rows_of)]
ProjectDep = Annotated[Project, Depends(project_of)]
LimitsDep = Annotated[HttpLimits, Depends(limits_of)]
StreamsDep = Annotated[Streams, Depends(streams_of)]
FormDep = Annotated[Mapping[str, str], Depends(form_of)]
