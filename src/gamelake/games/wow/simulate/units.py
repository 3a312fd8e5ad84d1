"""Everything on the battlefield that has health: players, pets, guardians, bosses and their minions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gamelake.games.wow.simulate.spells import MELEE, PET_KEEPERS, Spell, power_of

if TYPE_CHECKING:
    from gamelake.games.draws import Draws
    from gamelake.games.wow.simulate.roster import Member

__all__ = ["NOBODY", "NOBODY_TEXT", "Figures", "Shield", "Unit", "boss_unit", "pet_unit", "player_unit"]

NOBODY: Final = "0000000000000000"
NOBODY_TEXT: Final = f"{NOBODY},nil,0x80000000,0x80000000"

FIGURE_NAMES: Final = (
    "damage_amount_incl_pets",
    "damage_hits_incl_pets",
    "crit_hits_incl_pets",
    "overkill_incl_pets",
    "damage_to_hostile_incl_pets",
    "damage_amount_direct",
    "heal_raw_incl_pets",
    "overheal_incl_pets",
    "heal_effective_incl_pets",
    "heal_events_incl_pets",
    "absorb_granted",
    "damage_taken_amount",
    "damage_taken_absorbed",
    "deaths",
    "casts",
)


class Figures:
    """What one player did in one pull, counted while it happens."""

    __slots__ = FIGURE_NAMES

    def __init__(self) -> None:
        self.damage_amount_incl_pets = 0
        self.damage_hits_incl_pets = 0
        self.crit_hits_incl_pets = 0
        self.overkill_incl_pets = 0
        self.damage_to_hostile_incl_pets = 0
        self.damage_amount_direct = 0
        self.heal_raw_incl_pets = 0
        self.overheal_incl_pets = 0
        self.heal_effective_incl_pets = 0
        self.heal_events_incl_pets = 0
        self.absorb_granted = 0
        self.damage_taken_amount = 0
        self.damage_taken_absorbed = 0
        self.deaths = 0
        self.casts = 0

    def to_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in FIGURE_NAMES}


class Shield:
    """An absorb on somebody: who cast it, with what, and how much is left."""

    __slots__ = ("caster", "left", "spell")

    def __init__(self, caster: Unit, spell: Spell, left: int) -> None:
        self.caster = caster
        self.spell = spell
        self.left = left


class Unit:
    """One unit's state and the parts of its text that do not change.

    `credit` is the player whose figures it feeds; None for the other side.
    """

    __slots__ = (
        "_head",
        "_middle",
        "_tail",
        "auras",
        "credit",
        "figures",
        "guid",
        "hostile",
        "hp",
        "idle",
        "is_player",
        "max_hp",
        "member",
        "name",
        "power",
        "power_max",
        "power_type",
        "shields",
        "text",
    )

    def __init__(
        self,
        guid: str,
        name: str,
        flags: int,
        max_hp: int,
        *,
        owner: str = NOBODY,
        credit: Unit | None = None,
        member: Member | None = None,
        stats: tuple[int, int, int, int, int] = (0, 0, 377, 0, 0),
        power: tuple[int, int] = (3, 100),
    ) -> None:
        self.guid, self.name, self.max_hp, self.hp = guid, name, max_hp, max_hp
        self.text = f'{guid},"{name}",0x{flags:x},0x80000000'
        self.hostile = bool(flags & 0x40)
        self.is_player = member is not None
        self.member = member
        self.credit = self if member is not None else credit
        self.figures = Figures()
        self.shields: list[Shield] = []
        self.auras = 0
        self.idle = False
        self.power_type, self.power_max = power
        self.power = self.power_max
        self._head = f"{guid},{owner},"
        self._middle = f",{max_hp},{','.join(map(str, stats))},"
        self._tail = ""
        self.move(0.0, 0.0, 98101, 0.0, 80)

    def move(self, x: float, y: float, map_id: int, facing: float, level: int) -> None:
        """Place on the map, as it stands at the end of the block."""
        self._tail = f",{self.power_max},0,{x:.2f},{y:.2f},{map_id},{facing:.4f},{level}"

    def block(self) -> str:
        """The nineteen fields of the advanced block, as the unit stands now."""
        absorb = sum(shield.left for shield in self.shields) if self.shields else 0
        return f"{self._head}{self.hp}{self._middle}{absorb},{self.power_type},{self.power}{self._tail}"

    def begin_pull(self) -> None:
        """Full health, no shields, figures from zero."""
        self.hp, self.power, self.auras = self.max_hp, self.power_max, 0
        self.shields.clear()
        self.figures = Figures()


def player_unit(member: Member, draws: Draws, *, recorder: bool) -> Unit:
    """A raid member; the recorder is the one whose client writes the log."""
    tank = member.role == "tank"
    health = draws.between(195_000, 230_000) if tank else draws.between(88_000, 135_000)
    stats = tuple(draws.between(100, 900) for _ in range(5))
    return Unit(
        member.guid,
        member.name,
        0x511 if recorder else 0x514,
        health,
        member=member,
        stats=(stats[0], stats[1], stats[2], stats[3], stats[4]),
        power=power_of(member.spec_id),
    )


def pet_unit(owner: Unit, guid: str, name: str, *, guardian: bool, of: Unit | None = None) -> Unit:
    """A pet or guardian of `owner`; `of` is the guardian that called it, when it was not the player."""
    return Unit(
        guid,
        name,
        0x2114 if guardian else 0x1114,
        80_000 + owner.max_hp // 10,
        owner=(of or owner).guid,
        credit=owner.credit,
    )


def boss_unit(guid: str, name: str, max_hp: int) -> Unit:
    """The boss: hostile, marked as the target."""
    return Unit(guid, name, 0x10A48, max_hp, power=(3, 100))


def is_melee(member: Member) -> bool:
    return member.spec_id in MELEE


def keeps_pet(member: Member) -> bool:
    return member.spec_id in PET_KEEPERS
