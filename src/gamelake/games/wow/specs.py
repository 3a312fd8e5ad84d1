"""What the game calls things: specialisations, difficulties, schools and powers, as frozen tables.

An id that is not here is not an error: the functions answer with a neutral word, and the id itself is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["tank", "healer", "dps", "unknown"]


@dataclass(frozen=True)
class Spec:
    """One specialisation: `Spec("Priest", "healer", "Holy")`."""

    class_name: str
    role: Role
    name: str


UNKNOWN_SPEC: Final = Spec("Unknown", "unknown", "Unknown")

SPECS: Final[Mapping[int, Spec]] = MappingProxyType(
    {
        62: Spec("Mage", "dps", "Arcane"),
        63: Spec("Mage", "dps", "Fire"),
        64: Spec("Mage", "dps", "Frost"),
        65: Spec("Paladin", "healer", "Holy"),
        66: Spec("Paladin", "tank", "Protection"),
        70: Spec("Paladin", "dps", "Retribution"),
        71: Spec("Warrior", "dps", "Arms"),
        72: Spec("Warrior", "dps", "Fury"),
        73: Spec("Warrior", "tank", "Protection"),
        102: Spec("Druid", "dps", "Balance"),
        103: Spec("Druid", "dps", "Feral"),
        104: Spec("Druid", "tank", "Guardian"),
        105: Spec("Druid", "healer", "Restoration"),
        250: Spec("Death Knight", "tank", "Blood"),
        251: Spec("Death Knight", "dps", "Frost"),
        252: Spec("Death Knight", "dps", "Unholy"),
        253: Spec("Hunter", "dps", "Beast Mastery"),
        254: Spec("Hunter", "dps", "Marksmanship"),
        255: Spec("Hunter", "dps", "Survival"),
        256: Spec("Priest", "healer", "Discipline"),
        257: Spec("Priest", "healer", "Holy"),
        258: Spec("Priest", "dps", "Shadow"),
        259: Spec("Rogue", "dps", "Assassination"),
        260: Spec("Rogue", "dps", "Outlaw"),
        261: Spec("Rogue", "dps", "Subtlety"),
        262: Spec("Shaman", "dps", "Elemental"),
        263: Spec("Shaman", "dps", "Enhancement"),
        264: Spec("Shaman", "healer", "Restoration"),
        265: Spec("Warlock", "dps", "Affliction"),
        266: Spec("Warlock", "dps", "Demonology"),
        267: Spec("Warlock", "dps", "Destruction"),
        268: Spec("Monk", "tank", "Brewmaster"),
        269: Spec("Monk", "dps", "Windwalker"),
        270: Spec("Monk", "healer", "Mistweaver"),
        577: Spec("Demon Hunter", "dps", "Havoc"),
        581: Spec("Demon Hunter", "tank", "Vengeance"),
        1467: Spec("Evoker", "dps", "Devastation"),
        1468: Spec("Evoker", "healer", "Preservation"),
        1473: Spec("Evoker", "dps", "Augmentation"),
        1480: Spec("Demon Hunter", "dps", "Devourer"),
    }
)


def spec_of(spec_id: int | None) -> Spec:
    """The specialisation, or `UNKNOWN_SPEC` for an id we have not met."""
    return UNKNOWN_SPEC if spec_id is None else SPECS.get(spec_id, UNKNOWN_SPEC)


def role_of(spec_id: int | None) -> Role:
    """`tank`, `healer`, `dps`, or `unknown`.

    >>> role_of(257), role_of(9999)
    ('healer', 'unknown')
    """
    return spec_of(spec_id).role


DIFFICULTIES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "Normal Dungeon",
        2: "Heroic Dungeon",
        3: "10 Normal",
        4: "25 Normal",
        5: "10 Heroic",
        6: "25 Heroic",
        8: "Keystone",
        14: "Normal",
        15: "Heroic",
        16: "Mythic",
        17: "LFR",
        23: "Mythic Dungeon",
        198: "Raid",
    }
)


def difficulty_label(difficulty_id: int) -> str:
    """The difficulty's name; `Difficulty 99` for an id we have not met."""
    return DIFFICULTIES.get(difficulty_id, f"Difficulty {difficulty_id}")


SCHOOLS: Final[Mapping[int, str]] = MappingProxyType(
    {1: "Physical", 2: "Holy", 4: "Fire", 8: "Nature", 16: "Frost", 32: "Shadow", 64: "Arcane"}
)


def school_label(mask: int) -> str:
    """Name of a school mask, its parts joined from the lowest bit; the mask in hex when it has other bits.

    >>> school_label(4), school_label(36), school_label(127), school_label(0), school_label(128)
    ('Fire', 'Fire + Shadow', 'Chaos', 'None', '0x80')
    """
    if mask == 0:
        return "None"
    if mask == 127:
        return "Chaos"
    if mask < 0 or mask > 127:
        return hex(mask)
    return " + ".join(name for bit, name in SCHOOLS.items() if mask & bit)


POWER_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "Mana",
        1: "Rage",
        2: "Focus",
        3: "Energy",
        4: "Combo Points",
        5: "Runes",
        6: "Runic Power",
        7: "Soul Shards",
        8: "Astral Power",
        9: "Holy Power",
        11: "Maelstrom",
        12: "Chi",
        13: "Insanity",
        16: "Arcane Charges",
        17: "Fury",
        18: "Pain",
        19: "Essence",
    }
)


def power_label(power_type: int) -> str:
    """The power's name; `Power 99` for a number we have not met."""
    return POWER_TYPES.get(power_type, f"Power {power_type}")
