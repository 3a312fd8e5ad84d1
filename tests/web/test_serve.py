"""`serve`: one address on stdout, and a stop that does not wait for open streams."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from gamelake.errors import UserError
from gamelake.web.serve import serve
from web.web_world import toy_project

SERVE = """
import sys
from pathlib import Path
from gamelake.web import serve
from web.web_world import open_toy
with open_toy(Path(sys.argv[1])) as project:
    serve.serve(project, port=0)
"""


def test_it_prints_one_address_and_stops_while_somebody_listens(tmp_path):
    with toy_project(tmp_path / "toy", packs=["wow"]):
        pass
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path / "toy")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        with httpx.stream("GET", f"{address}api/v1/events", timeout=20) as stream:
            assert next(stream.iter_lines()).startswith("retry")
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert time.monotonic() - start < 8
        assert not out
        assert "Traceback" not in err
    finally:
        process.kill()


def test_a_taken_port_is_a_message_with_a_way_out(tmp_path):
    with socket.socket() as taken, toy_project(tmp_path / "toy") as project:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError) as refused:
            serve(project, port=taken.getsockname()[1])

    assert "already in use" in str(refused.value)
    assert "--port" in refused.value.hint
