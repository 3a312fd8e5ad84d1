"""`gamelake serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from gamelake.packs import open_project
from gamelake.present.options import ProjectOption

PORT = 8787


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; others than this machine's need care.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            help="Port; by default 8787, or a free one when it is taken; 0 takes a free one.",
            show_default=False,
        ),
    ] = None,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Invented names of people, and no raw rows.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Serve the pages and the API of a project until Ctrl-C.

    Prints one address on stdout. There is no login: on an address other than 127.0.0.1, whoever reaches it can
    read everything and start runs.
    """
    from gamelake.web.serve import serve as serve_project

    with open_project(project) as opened:
        if pseudonyms:
            opened.settings = opened.settings.model_copy(update={"pseudonyms": True})
        serve_project(opened, host, port if port is not None else usual_or_free(host))


def usual_or_free(host: str) -> int:
    """The usual port, or 0 (a free one) when somebody has it."""
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, PORT))
        except OSError:
            return 0
    return PORT
