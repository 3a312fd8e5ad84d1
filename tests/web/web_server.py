"""The app behind a real server, in a thread of the test process."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import httpx
import uvicorn


@contextmanager
def served(app):
    """Serve the app on a free loopback port; yields the address without a trailing slash."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        app.state.streams.closing = True
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def client_of(app):
    """An HTTP client of the served app; redirects are not followed."""
    with served(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client
