"""What World of Warcraft adds to gamelake: raid nights from combat logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gamelake.packs import CommandLink, Pack, PageLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.model.steps import Source, Step
    from gamelake.settings import Settings

_FOLDER = Path(__file__).parent


def _steps(_settings: Settings) -> Sequence[Step | Source]:
    from gamelake.games.wow.silver import IMPORT, STEP

    return (IMPORT, STEP)


PACK = Pack(
    name="wow",
    title="World of Warcraft raids",
    layouts=_FOLDER / "layouts",
    layout_tests=_FOLDER / "tests",
    steps=_steps,
    commands={"raid": CommandLink("gamelake.games.wow.cli:app", "Import combat logs, read raid reports.")},
    simulators={
        "wow": CommandLink(
            "gamelake.games.wow.simulate.cli:wow", "Raid nights of an invented guild, as the game logs them."
        )
    },
    routers=("gamelake.games.wow.web:router",),
    pages=(PageLink("Raids", "/raids", panel="/raids/panel"),),
    templates=_FOLDER / "templates",
    static=_FOLDER / "static",
    warm=("gamelake.games.wow.kernels.warm:warm",),
)
