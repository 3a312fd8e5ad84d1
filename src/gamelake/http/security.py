"""Headers of every answer, and who may ask: our own pages, and programs that are no browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from gamelake.http.problems import HttpError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class HeadersMiddleware:
    """Adds the headers to every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not headers.get("cache-control"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


class OriginMiddleware:
    """Refuses foreign hosts, and requests that another site's page sends.

    `hosts` None accepts every host name (a server bound to a public address behind a proxy).
    A loopback server must name its own, or a page elsewhere could reach it by rebinding a name.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None = LOOPBACK) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            self._check_host(headers.get("host", ""))
            if scope["method"] not in _SAFE:
                check_origin(headers)
        await self._app(scope, receive, send)

    def _check_host(self, host: str) -> None:
        if self._hosts is not None and _name(host) not in self._hosts:
            raise HttpError(
                421,
                "wrong_host",
                f"this server does not answer for `{host[:100]}`, only for: {', '.join(sorted(self._hosts))}",
                "start it with `--host` set to the address people use",
            )


def check_origin(headers: Headers) -> None:
    """Refuse a changing request that a browser says comes from another site.

    Browsers send `Sec-Fetch-Site` or `Origin` and no page can forge them; a request with neither
    comes from a program, which has no login of somebody else to abuse.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    foreign = site not in {None, "same-origin", "none"}
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        foreign = True
    if foreign:
        raise HttpError(
            403,
            "cross_origin",
            f"a page of `{(origin or site or '')[:100]}` may not change anything here",
            "open the page of this server itself and repeat it there",
        )


def _name(host: str) -> str:
    """Host without its port: `[::1]:8000` → `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
