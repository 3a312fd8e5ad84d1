"""One `gamelake` command, run by the server of `forked_cli.py`: `python -I -S forked_client.py SOCKET ARGUMENT…`."""

from __future__ import annotations

import json
import os
import socket
import sys


def ask(where: str, arguments: list[str]) -> int:
    """Hand over arguments, folder, environment and the three open files; the exit code."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(where)
        socket.send_fds(link, [b"+"], [0, 1, 2])
        link.sendall(json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode())  # noqa: PTH109 – pathlib is slow
        link.shutdown(socket.SHUT_WR)
        return int(link.recv(16))


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1], sys.argv[2:]))
