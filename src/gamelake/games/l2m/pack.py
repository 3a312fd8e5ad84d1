"""What the invented mobile game L2M adds to gamelake."""

from __future__ import annotations

from gamelake.packs import CommandLink, Pack

PACK = Pack(
    name="l2m",
    title="L2M, a mobile game in South-East Asia",
    simulators={
        "l2m": CommandLink(
            "gamelake.games.l2m.simulate.cli:l2m", "Logs, payments and profiles of an invented mobile game."
        )
    },
)
