"""What a client may send: every limit has a name and a default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gamelake.http.problems import HttpError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def _limit(default: float, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class HttpLimits:
    """Limits of the web door; past one the answer names it."""

    max_body_bytes: int = _limit(1_000_000, "Bytes of a request's body.")
    max_url_bytes: int = _limit(32_000, "Bytes of an address; a download carries its statement there.")
    max_statement_chars: int = _limit(20_000, "Characters of a statement.")
    max_rows: int = _limit(10_000, "Rows of one JSON answer.")
    max_answer_bytes: int = _limit(32_000_000, "Bytes the rows of one JSON answer take in memory.")
    max_export_rows: int = _limit(1_000_000, "Rows of a download; the rest is left out.")
    max_export_bytes: int = _limit(1_000_000_000, "Bytes the rows of a download take before compression.")
    max_queries: int = _limit(4, "Queries at once; each gets this part of the `memory` of the settings.")
    max_streams: int = _limit(64, "Event streams at once.")
    statement_seconds: float = _limit(20.0, "Seconds a statement may run.")


class LimitsMiddleware:
    """Refuses what is too large, by its declared length and again while it arrives."""

    def __init__(self, app: ASGIApp, limits: HttpLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowed = self._limits.max_url_bytes
        if len(scope["raw_path"]) + len(scope["query_string"]) > allowed:
            raise HttpError(414, "too_large", f"the address is longer than `max_url_bytes` = {allowed:,}")
        self._check_body(_declared_length(scope))
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            self._check_body(arrived)
            return message

        await self._app(scope, counted, send)

    def _check_body(self, length: int) -> None:
        allowed = self._limits.max_body_bytes
        if length > allowed:
            raise HttpError(413, "too_large", f"the body is larger than `max_body_bytes` = {allowed:,}")


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
