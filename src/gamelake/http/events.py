"""Server-sent events over any source of numbered events: replay, live tail, heartbeat."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse

from gamelake.http.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from starlette.requests import Request


MAX_SEQUENCE = 2**63 - 1  # what the ledger can count to


@dataclass(frozen=True)
class Event:
    """One event of a stream; ids only grow. An empty kind reaches a browser's `onmessage`."""

    id: int
    kind: str
    data: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> str:
        r"""The event on the wire.

        >>> Event(7, "run.running", {"run": "r1"}).encode()
        'id: 7\nevent: run.running\ndata: {"run": "r1"}\n\n'
        """
        named = f"event: {self.kind}\n" if self.kind else ""
        return f"id: {self.id}\n{named}data: {json.dumps(self.data, default=str)}\n\n"


@dataclass(frozen=True)
class Pace:
    """How a stream keeps time, in seconds."""

    poll: float = 0.2
    heartbeat: float = 10.0
    retry: float = 1.0  # what a browser waits before it connects again


class Streams:
    """Counts the open streams of a server; past the limit a new one is refused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.open = 0
        self.closing = False

    def check(self) -> None:
        """Raise a 503 that names the limit when there is no place left."""
        if self.open >= self._limit:
            raise HttpError(503, "too_busy", f"`max_streams` = {self._limit} event streams are open")


def replay_after(request: Request, after: int | None, default: int) -> int:
    """Where a stream starts: what the browser saw last, else what was asked for, else the default."""
    if after is not None and after > MAX_SEQUENCE:
        raise HttpError(422, "invalid_request", "`after` is larger than any sequence can be")
    seen = request.headers.get("last-event-id", "").strip()
    if not seen:
        return default if after is None else after
    if not seen.isdecimal():
        raise HttpError(422, "invalid_request", f"`Last-Event-ID` is `{seen[:40]}`, expected a number")
    if len(seen) > len(str(MAX_SEQUENCE)) or int(seen) > MAX_SEQUENCE:
        problem = f"`Last-Event-ID` is `{seen[:40]}`, larger than any sequence can be"
        raise HttpError(422, "invalid_request", problem)
    return int(seen)


def stream_response(
    fetch: Callable[[int], Sequence[Event]],
    after: int,
    *,
    streams: Streams,
    ended: Callable[[], bool] | None = None,
    pace: Pace | None = None,
) -> StreamingResponse:
    """Everything `fetch(after)` knows, then what comes; closes with an `end` event once `ended()`.

    `fetch` runs in a thread, returns events in order and strictly after the given id.
    """
    streams.check()
    body = _body(fetch, after, ended, pace or Pace(), streams)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def _body(
    fetch: Callable[[int], Sequence[Event]],
    after: int,
    ended: Callable[[], bool] | None,
    pace: Pace,
    streams: Streams,
) -> AsyncIterator[str]:
    streams.open += 1  # here, not above: a body that is never read never reaches the `finally`
    try:
        yield f"retry: {pace.retry * 1000:.0f}\n\n"
        spoken = monotonic()
        while not streams.closing:
            # asked before the last look at the events: nothing can come between the two
            over = ended is not None and await run_sync(ended)
            found = await run_sync(fetch, after)
            for event in found:
                after = event.id
                yield event.encode()
            if found:
                spoken = monotonic()
                continue
            if over:
                yield f"id: {after}\nevent: end\ndata: {{}}\n\n"
                return
            if monotonic() - spoken >= pace.heartbeat:
                spoken = monotonic()
                yield ": still here\n\n"
            await anyio.sleep(pace.poll)
    finally:
        streams.open -= 1
