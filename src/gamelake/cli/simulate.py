"""`gamelake simulate`: the simulators of installed packs."""

from __future__ import annotations

from typing import Any

from gamelake.cli.catalogue import Command
from gamelake.cli.tree import LazyGroup
from gamelake.packs import load_packs


class Simulators(LazyGroup):
    """One command for each simulator a pack brings."""

    def __init__(self, **rest: Any) -> None:
        links = {
            name: Command(name, link.target, "", link.help)
            for pack in load_packs().values()
            for name, link in pack.simulators.items()
        }
        told = "Write made-up data that looks like a game's own."
        super().__init__(links, no_args_is_help=True, help=told, **rest)
