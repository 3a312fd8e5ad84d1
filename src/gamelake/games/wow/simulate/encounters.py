"""The raid of the simulator: one invented instance and its bosses, in the order a guild meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gamelake.games.wow.simulate.spells import Spell, spell


@dataclass(frozen=True)
class Boss:
    """One encounter. `seconds` is how long an average raid needs on Normal."""

    encounter_id: int
    npc_id: int
    name: str
    seconds: int
    ease: float
    yields: bool
    pulse: Spell
    bolt: Spell
    doom: Spell
    turn: Spell
    minion: str

    @property
    def number(self) -> int:
        """Position in the instance, from 0."""
        return self.encounter_id - 9901


INSTANCE_ID: Final = 9810
INSTANCE_NAME: Final = "The Sunken Observatory"
MAP_IDS: Final = (98101, 98102, 98103)


def _boss(
    number: int,
    name: str,
    seconds: int,
    ease: float,
    spells: tuple[str, str, str, str],
    minion: str,
    *,
    yields: bool = False,
) -> Boss:
    pulse, bolt, doom, turn = (
        spell(9_400_000 + number * 10 + at, text, school)
        for at, (text, school) in enumerate(zip(spells, (32, 4, 106, 1), strict=True))
    )
    npc = 900_100 + number
    return Boss(9901 + number, npc, name, seconds, ease, yields, pulse, bolt, doom, turn, minion)


BOSSES: Final = (
    _boss(
        0, "Gatewright Ottoline", 110, 0.75, ("Bell Toll", "Hot Rivet", "Hammerfall", "Stoke"), "Clay Porter"
    ),
    _boss(
        1,
        "Sorrel, Keeper of Tides",
        120,
        0.6,
        ("Undertow", "Salt Spear", "Drowning Hour", "High Water"),
        "Brine Shade",
        yields=True,
    ),
    _boss(
        2,
        "The Glass Choir",
        135,
        0.42,
        ("Shatter", "High Note", "Last Verse", "Crescendo"),
        "Glass Chorister",
    ),
    _boss(3, "Maëlwenn", 145, 0.34, ("Spore Rain", "Thornshot", "Smother", "Deep Bloom"), "Rotling"),
    _boss(
        4, "Brother Tallow & the Wick", 155, 0.26, ("Smoulder", "Wax", "Snuff", "Long Night"), "Candle End"
    ),
    _boss(
        5,
        "Ur-Zhaal, the Unfinished",
        170,
        0.2,
        ("Faltering World", "Falling Plumb", "Erasure", "Draft"),
        "Loose Page",
        yields=True,
    ),
)
