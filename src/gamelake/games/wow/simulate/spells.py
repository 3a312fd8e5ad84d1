"""What every specialisation can do: invented spells in the shape the game logs them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from gamelake.games.wow.specs import SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_SPELL = 9_000_000  # far above the ids of the game


@dataclass(frozen=True)
class Spell:
    """`text` is the three spell fields of a line; `school` repeats the mask in decimal, as suffixes have it."""

    number: int
    name: str
    school: int
    text: str


def spell(number: int, name: str, school: int) -> Spell:
    """The spell with its text made."""
    return Spell(number, name, school, f'{number},"{name}",0x{school:x}')


@dataclass(frozen=True)
class SpellBook:
    """The spells of one specialisation."""

    strikes: tuple[Spell, ...]
    sweep: Spell
    lingering: Spell
    mending: Spell
    renewal: Spell
    tide: Spell
    ward: Spell
    stance: Spell
    surge: Spell
    summon: Spell


_WORDS: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("Notched", "Reaving", "Heavy", "Low", "Iron", "Whirled"),
    2: ("Dawnlit", "Vowed", "Candle", "Morning", "Bright", "Choral"),
    4: ("Cinder", "Kiln", "Ember", "Scorched", "Furnace", "Sparking"),
    8: ("Briar", "Loam", "Gale", "Mossy", "River", "Rooted"),
    16: ("Rime", "Glacial", "Hoar", "Sleet", "Winter", "Thin Ice"),
    32: ("Dusk", "Hollow", "Gloaming", "Veiled", "Ashen", "Whispered"),
    64: ("Prism", "Orrery", "Sigil", "Mirror", "Starlit", "Folded"),
}
_STRIKES: Final = ("Lance", "Verdict", "Cleft", "Barrage", "Refrain", "Bite")

_SCHOOLS: Final[Mapping[int, int]] = {
    **dict.fromkeys((65, 66, 70, 256, 257), 2),
    **dict.fromkeys((63, 577, 581, 1467, 267), 4),
    **dict.fromkeys((102, 104, 105, 262, 263, 264, 268, 269, 270, 1468), 8),
    **dict.fromkeys((64, 251), 16),
    **dict.fromkeys((250, 252, 258, 265, 266, 1480), 32),
    **dict.fromkeys((62, 1473), 64),
}
"""Main school of the specialisations that do not simply hit."""

MELEE: Final = frozenset(
    {66, 70, 71, 72, 73, 103, 104, 250, 251, 252, 255, 259, 260, 261, 263, 268, 269, 577, 581, 1480}
)
ARCHERS: Final = frozenset({253, 254})
PET_KEEPERS: Final = frozenset({252, 253, 255, 265, 266, 267})
"""Their permanent pet is known from the ownerGUID of its own lines only."""
GUARDIAN_CALLERS: Final = frozenset({102, 258, 262, 264, 266, 269})
EMPOWERERS: Final = frozenset({1467, 1468, 1473})
REVIVERS: Final = frozenset({102, 103, 104, 105, 250, 251, 252, 265, 266, 267})
HEALING_GUARDIANS: Final = frozenset({264})
CHAIN_CALLERS: Final = frozenset({262})
"""Their guardian calls a smaller one, which belongs to the player at one remove."""

POWER_OF_CLASS: Final[Mapping[str, tuple[int, int]]] = {
    "Warrior": (1, 1000),
    "Hunter": (2, 100),
    "Rogue": (3, 250),
    "Monk": (3, 100),
    "Death Knight": (6, 1250),
    "Demon Hunter": (17, 120),
}
"""(power type, greatest value); everybody else has mana."""
MANA: Final = (0, 250_000)


def school_of(spec_id: int) -> int:
    """School mask of the specialisation's own spells."""
    return _SCHOOLS.get(spec_id, 1)


def power_of(spec_id: int) -> tuple[int, int]:
    """(power type, greatest value) of the specialisation's class."""
    return POWER_OF_CLASS.get(SPECS[spec_id].class_name, MANA)


@cache
def book_of(spec_id: int) -> SpellBook:
    """The spell book, a function of the specialisation alone."""
    school = school_of(spec_id)
    words = _WORDS[school]
    number = _FIRST_SPELL + spec_id * 20

    def own(at: int, noun: str, mask: int = school) -> Spell:
        return spell(number + at, f"{words[(spec_id + at) % len(words)]} {noun}", mask)

    healing = 8 if school == 1 else school
    return SpellBook(
        strikes=tuple(own(at, _STRIKES[(spec_id * 5 + at) % len(_STRIKES)]) for at in range(3)),
        sweep=own(3, "Sweep"),
        lingering=own(4, "Brand"),
        mending=own(5, "Mending", healing),
        renewal=own(6, "Renewal", healing),
        tide=own(7, "Tide", healing),
        ward=own(8, "Ward", healing),
        stance=own(9, "Resolve"),
        surge=own(10, "Surge"),
        summon=own(11, "Summons"),
    )
