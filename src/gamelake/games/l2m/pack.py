"""What the invented mobile game L2M adds to gamelake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gamelake.packs import CommandLink, Pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gamelake.model.steps import Source, Step
    from gamelake.settings import Settings

_FOLDER = Path(__file__).parent
_SETTINGS = """\
# What the layouts' variables are in this project:
# [l2m]
# late_days = 2              # rows that arrive so many days late still count
# first_day = 2026-01-01     # cumulative revenue begins here; by default with the first recharges

# Where the source tables are: DIR/<table>/ds=<day>/*.parquet, and DIR/<table>/*.parquet for rates and profiles
[profiles.dev.connections.l2m]
kind = "file"
root = "source"
"""


def _steps(settings: Settings) -> Sequence[Step | Source]:
    from gamelake.games.l2m.clusters import step

    return (step(settings),)


def _values(settings: Settings) -> Mapping[str, str]:
    from gamelake.games.l2m.rules import values

    return values(settings)


PACK = Pack(
    name="l2m",
    title="L2M, a mobile game in South-East Asia",
    layouts=_FOLDER / "layouts",
    layout_tests=_FOLDER / "tests",
    seeds=_FOLDER / "seeds",
    steps=_steps,
    values=_values,
    project_settings=_SETTINGS,
    zone="Asia/Ho_Chi_Minh",
    simulators={
        "l2m": CommandLink(
            "gamelake.games.l2m.simulate.cli:l2m", "Logs, payments and profiles of an invented mobile game."
        )
    },
)
