"""Serving a project until somebody stops it."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from gamelake.errors import UserError
from gamelake.http.security import LOOPBACK
from gamelake.jobs.schedules import Ticker
from gamelake.present.console import data, talk
from gamelake.web.app import create_app

if TYPE_CHECKING:
    from types import FrameType

    from gamelake.pipeline.project import Project

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8787


class _Server(uvicorn.Server):
    """A server that ends its event streams when asked to stop, or it would wait for them for ever."""

    def __init__(self, config: uvicorn.Config, app: Any) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.state.streams.closing = True
        super().handle_exit(sig, frame)


def serve(project: Project, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, *, path: str = "/") -> None:
    """Serve until Ctrl-C; prints the one address to open, with port 0 a free one.

    On a loopback address only this machine can reach it; there is no login, so any other address
    is for networks whose members may read everything and start runs.
    """
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    own_host = host in LOOPBACK
    app = create_app(project, hosts=LOOPBACK if own_host else None)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    if not own_host:
        talk().print("[warn]![/] no login: whoever reaches this address can read everything and start runs")
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 – compared, not bound
    shown = f"[{shown}]" if ":" in shown else shown
    data().print(f"http://{shown}:{port}{path}", soft_wrap=True)
    talk().print(f"[quiet]serving {project.settings.name}, Ctrl-C stops[/]")
    try:
        with Ticker(project):
            _Server(config, app).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        problem = f"cannot listen on {host} port {port}: {(error.strerror or str(error)).lower()}"
        raise UserError(problem, hint="choose another with `--port`; 0 takes a free one") from error
    listener.listen(128)
    return listener
