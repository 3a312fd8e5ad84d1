"""Pseudonyms: the same invented name for the same player, everywhere a name or GUID is shown."""

from __future__ import annotations

import hashlib
from typing import Any

_HEADS = (
    "Al",
    "Bren",
    "Cor",
    "Dar",
    "El",
    "Fen",
    "Gal",
    "Hal",
    "Il",
    "Jor",
    "Kel",
    "Lor",
    "Mar",
    "Nor",
    "Or",
    "Per",
)
_TAILS = (
    "ador",
    "bin",
    "cas",
    "dan",
    "eth",
    "fir",
    "gan",
    "hild",
    "ion",
    "jan",
    "kir",
    "lan",
    "mir",
    "nas",
    "oth",
    "wen",
)


def pseudonym(guid: str) -> str:
    """Invented name of a player, a function of the GUID alone.

    >>> pseudonym("Player-1-0000ABCD") == pseudonym("Player-1-0000ABCD")
    True
    """
    digest = hashlib.sha256(guid.encode()).digest()
    return f"{_HEADS[digest[0] % 16]}{_TAILS[digest[1] % 16]}{digest[2]:02x}"


def hiding(players: dict[str, str | None], pets: dict[str, str]) -> dict[str, str]:
    """What to write instead of each GUID and name. `players`: GUID → name; `pets`: pet name → owner's GUID."""
    table: dict[str, str] = {}
    for guid, name in players.items():
        table[guid] = f"Player-0-{hashlib.sha256(guid.encode()).hexdigest()[:8].upper()}"
        if name:
            table[name] = pseudonym(guid)
    for pet, owner in pets.items():
        table.setdefault(pet, f"Pet of {pseudonym(owner)}")
    return table


def hide(value: Any, table: dict[str, str]) -> Any:
    """Copy of a JSON-like value in which every string of the table is replaced."""
    if isinstance(value, str):
        return table.get(value, value)
    if isinstance(value, dict):
        return {key: hide(item, table) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide(item, table) for item in value]
    return value
