"""`gamelake warm`."""

from __future__ import annotations

import time

from gamelake.packs import load_packs, load_target
from gamelake.present.console import say
from gamelake.present.formats import duration


def warm() -> None:
    """Compile what packs compile once, so that the first use is fast.

    Set-up calls this. Nothing happens when everything is warm already.
    """
    for pack in load_packs().values():
        for target in pack.warm:
            started = time.monotonic()
            load_target(target)()
            say(f"{pack.name}: warm after {duration(time.monotonic() - started)}")
