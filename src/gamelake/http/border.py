"""The one order in which a request passes the shared guards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.http.limits import HttpLimits, LimitsMiddleware
from gamelake.http.problems import BorderMiddleware, install_problems
from gamelake.http.security import LOOPBACK, HeadersMiddleware, OriginMiddleware

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gamelake.http.problems import ProblemPage


def install_border(
    app: FastAPI,
    *,
    page: ProblemPage | None = None,
    limits: HttpLimits | None = None,
    hosts: frozenset[str] | None = LOOPBACK,
) -> None:
    """Headers around errors around refusals around the app: every answer, also a refusal, has all headers."""
    install_problems(app, page)
    # the one added last is the first a request meets
    app.add_middleware(LimitsMiddleware, limits=limits or HttpLimits())
    app.add_middleware(OriginMiddleware, hosts=hosts)
    app.add_middleware(BorderMiddleware, page=page)
    app.add_middleware(HeadersMiddleware)
