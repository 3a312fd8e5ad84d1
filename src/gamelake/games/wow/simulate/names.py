"""Invented names: people, realms, pets. Nobody and nothing of the game is called like this on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gamelake.games.draws import Draws

_FIRST: Final = "Bri Cael Dro Eli Fen Gwa Hal Ithe Jor Kva Lum Mira Nol Orsi Pell Quo Rhu Sael Tova Ulm Vesh Wyr Yol Zan Ævi Öre Bé Nüa"
_LATIN: Final = (
    tuple(_FIRST.split()),
    ("ba", "de", "fi", "go", "la", "mo", "ne", "ri", "sa", "tu", "vé", "lì", "ño", "rö"),
    ("dur", "lin", "mok", "nis", "par", "quil", "rak", "sen", "tath", "vex", "wick", "zel", "mäe", "lyn"),
)
_CYRILLIC: Final = (
    ("Бро", "Вел", "Гар", "Дми", "Жал", "Кри", "Лю", "Мор", "Нев", "Пал", "Руд", "Сой"),
    ("ва", "де", "ли", "мо", "на", "ро", "си", "ту"),
    ("бор", "вик", "гор", "дан", "кус", "мил", "рат", "тан"),
)
_HANGUL: Final = (
    ("바", "도", "고", "나", "루", "미"),
    ("람", "솔", "별", "린", "온"),
    ("이", "아", "누", "결"),
)

REALMS: Final = (
    (9101, "Lanternrest"),
    (9102, "Kel'Ombra"),
    (9103, "ТихийБрод"),
    (9104, "Pontedasnuvens(Inventada)"),
    (9105, "Saltmarshgate"),
)
"""(number, name) of realms that do not exist."""

_PETS: Final = (
    ("Mud", "Ash", "Bramble", "Soot", "Pebble", "Thorn", "Frost", "Gloom", "Rust", "Moss"),
    ("paw", "fang", "tail", "snout", "claw", "wing", "hide", "maw", "whisker", "shell"),
)


def player_name(draws: Draws) -> str:
    """A first name of at most twelve letters; one in eight is not Latin."""
    alphabet = _CYRILLIC if draws.chance(0.09) else _HANGUL if draws.chance(0.04) else _LATIN
    first, middle, last = alphabet
    name = draws.pick(first) + (draws.pick(middle) if draws.chance(0.7) else "") + draws.pick(last)
    return name[:12]


def pet_name(draws: Draws) -> str:
    """A pet's name, such as Mudpaw."""
    return draws.pick(_PETS[0]) + draws.pick(_PETS[1])
