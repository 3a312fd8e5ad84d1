"""`gamelake` for shell scripts of tests, forked from one process that has imported everything already.

A command is a process of its own in every way (folder, environment, pipes, exit code) but for the second that
imports take. What happens in that second is held by the tests that start the real program.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).resolve().parent


@contextmanager
def forked_cli(folder: Path) -> Iterator[Path]:
    """A folder for PATH that holds a `gamelake`, served for the block."""
    where, program = folder / "socket", folder / "bin" / "gamelake"
    program.parent.mkdir(parents=True)
    client = f"{sys.executable} -I -S {_HERE / 'forked_client.py'} {where}"
    program.write_text(f'#!/bin/sh\nexec {client} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = os.pathsep.join([str(_HERE), *filter(None, sys.path)])
    server = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "forked_cli", where],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield program.parent
    finally:
        server.kill()
        server.communicate()


def serve(where: str) -> None:
    """Fork for each client. No thread may run here: children would wait for it for ever."""
    from child_imports import IMPORTED
    from gamelake.cli.catalogue import all_commands
    from gamelake.packs import load_packs, load_target

    assert IMPORTED
    for command in all_commands():
        load_target(command.target)
    for target in [target for pack in load_packs().values() for target in pack.warm]:
        load_target(target)()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(where)
        door.listen(8)
        os.write(1, b"ready\n")
        while True:
            link, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _answer(link)
            link.close()
            os.waitpid(-1, os.WNOHANG)


def _answer(link: socket.socket) -> None:
    """Fork once more, so that somebody is there to tell how it ended."""
    _, files, *_ = socket.recv_fds(link, 1, 3)
    arguments, folder, environment = json.load(link.makefile("rb"))
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        link.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    link.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["gamelake", *arguments]

    from gamelake.cli.main import main

    main()


if __name__ == "__main__":
    serve(sys.argv[1])
