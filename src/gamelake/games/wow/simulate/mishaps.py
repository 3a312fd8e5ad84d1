# ruff: noqa: ARG001, D103 - one signature for all; the names say what happens
"""The rare lines of a fight: falls, friendly fire, feigned deaths, resurrections, and lines a reader must ignore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gamelake.games.wow.simulate.spells import EMPOWERERS, REVIVERS, Spell, book_of, spell
from gamelake.games.wow.simulate.units import NOBODY_TEXT, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from gamelake.games.wow.simulate.fight import Fight

_BOND: Final = spell(9_390_001, "Sundered Bond", 32)
_SHARE: Final = spell(9_390_002, "Shared Burden", 64)
_FEIGN: Final = spell(9_390_003, "Play Dead", 1)
_RECALL: Final = spell(9_390_004, "Call Back", 8)
_FRENZY: Final = spell(9_390_005, "Second Wind", 1)
_TRICK: Final = spell(9_390_006, "Borrowed Luck, Twice", 64)


def _book(unit: Unit) -> Spell:
    return book_of(unit.member.spec_id).strikes[0] if unit.member else _TRICK


def failed_cast(fight: Fight, unit: Unit, pick: int) -> None:
    reason = ("Not yet recovered", "Out of range", "You can't do that yet", "Interrupted, moving")[pick % 4]
    fight.put(f'SPELL_CAST_FAILED,{unit.text},{NOBODY_TEXT},{_book(unit).text},"{reason}"')


def missed(fight: Fight, unit: Unit, pick: int) -> None:
    if pick % 3 == 0:
        fight.put(f"SPELL_MISSED,{unit.text},{fight.boss.text},{_book(unit).text},IMMUNE,nil,ST")
    else:
        fight.put(f"SWING_MISSED,{unit.text},{fight.boss.text},{('MISS', 'DODGE', 'PARRY')[pick % 3]},nil")


def fall(fight: Fight, unit: Unit, pick: int) -> None:
    """A fall hurts and is logged with overkill 0; one in twelve is deadly."""
    deadly = pick % 12 == 0 and fight.may_die(unit)
    amount = unit.hp + 1 + pick % 900 if deadly else unit.hp // (20 + pick % 30)
    over = amount - unit.hp if deadly else 0
    unit.hp -= amount - over
    fight.put(
        f"ENVIRONMENTAL_DAMAGE,{NOBODY_TEXT},{unit.text},{unit.block()},Falling,{amount},{amount},{over},1,0,0,0,nil,nil,nil"
    )
    if deadly:
        fight.fall(unit, fight.blow(None, "Falling", amount, over))


def friendly_fire(fight: Fight, unit: Unit, pick: int) -> None:
    """Damage of one of ours to another: counts as done and as taken, not as done to an enemy."""
    for other in fight.neighbours(unit, pick, 2):
        fight.hurt(unit, other, 900 + pick % 2000, _BOND)


def split(fight: Fight, unit: Unit, pick: int) -> None:
    for other in fight.neighbours(unit, pick, 1):
        amount = min(200 + pick % 1500, other.hp - 1)
        other.hp -= amount
        fight.put(
            f"DAMAGE_SPLIT,{unit.text},{other.text},{_SHARE.text},{other.block()},"
            f"{amount},0,-1,64,0,0,0,nil,nil,nil,AOE"
        )


def feign(fight: Fight, unit: Unit, pick: int) -> None:
    """Looks like a death, ends with 1 for unconscious, and is none."""
    if pick % 3 == 0:
        fight.cast(unit, _FEIGN)
        fight.put(f"UNIT_DIED,{NOBODY_TEXT},{unit.text},1")


def resurrect(fight: Fight, unit: Unit, pick: int) -> None:
    """Brings back who has been dead longest, three times a pull at most."""
    fallen = fight.fallen()
    reviver = fight.someone(lambda other: other.member is not None and other.member.spec_id in REVIVERS, pick)
    if not fallen or reviver is None or fight.revivals == 0 or fight.wiping:
        return
    fight.revivals -= 1
    target = fallen[0]
    fight.cast(reviver, _RECALL, target)
    fight.put(f"SPELL_RESURRECT,{reviver.text},{target.text},{_RECALL.text}")
    target.hp = target.max_hp * 6 // 10
    fight.alive.append(target)
    fight.put(f"SPELL_AURA_APPLIED,{reviver.text},{target.text},{_RECALL.text},BUFF")


def empower(fight: Fight, unit: Unit, pick: int) -> None:
    caster = fight.someone(
        lambda other: other.member is not None and other.member.spec_id in EMPOWERERS, pick
    )
    if caster is not None and caster.member is not None:
        surge = book_of(caster.member.spec_id).surge
        fight.put(f"SPELL_EMPOWER_START,{caster.text},{NOBODY_TEXT},{surge.text}")
        fight.put(f"SPELL_EMPOWER_END,{caster.text},{NOBODY_TEXT},{surge.text},{1 + pick % 3}")


def support(fight: Fight, unit: Unit, pick: int) -> None:
    """A share told a second time for who made it possible: ignored by name, never summed."""
    for other in fight.neighbours(unit, pick, 1):
        amount = 300 + pick % 900
        fight.put(
            f"SPELL_DAMAGE_SUPPORT,{unit.text},{fight.boss.text},{_TRICK.text},{fight.boss.block()},"
            f"{amount},{amount},-1,64,0,0,0,nil,nil,nil,ST,{other.guid}"
        )


def extra_attack(fight: Fight, unit: Unit, pick: int) -> None:
    fight.put(f"SPELL_EXTRA_ATTACKS,{unit.text},{unit.text},{_FRENZY.text},{1 + pick % 2}")


def interrupt(fight: Fight, unit: Unit, pick: int) -> None:
    bolt = fight.plan.boss.bolt
    fight.put(
        f'SPELL_INTERRUPT,{unit.text},{fight.boss.text},{_FRENZY.text},{bolt.number},"{bolt.name}",{bolt.school}'
    )


def emote(fight: Fight, unit: Unit, pick: int) -> None:
    """Free text, not quoted, with whatever in it."""
    words = (
        "The floor tilts, and with it the light!",
        'It says: "not yet", or something like it (twice)',
        "…",
    )
    fight.put(
        f'EMOTE,{fight.boss.guid},"{fight.boss.name}",{unit.guid},"{unit.name}",{words[pick % len(words)]}'
    )


def marker(fight: Fight, unit: Unit, pick: int) -> None:
    fight.put(f"WORLD_MARKER_PLACED,9810,{pick % 8},{pick % 500}.25,{pick % 700}.50")


def doses(fight: Fight, unit: Unit, pick: int) -> None:
    fight.put(f"SPELL_AURA_APPLIED_DOSE,{unit.text},{unit.text},{_FRENZY.text},BUFF,{2 + pick % 5}")
    fight.put(f"SPELL_AURA_REMOVED_DOSE,{unit.text},{unit.text},{_FRENZY.text},BUFF,{1 + pick % 5}")


def hurt_pet(fight: Fight, unit: Unit, pick: int) -> None:
    """Pets are hit and healed; that is nobody's damage taken, and the heal's block names the owner."""
    if fight.pets:
        pet = fight.pets[pick % len(fight.pets)]
        fight.hurt(fight.boss, pet, 2_000 + pick % 3000, fight.plan.boss.pulse)
        if pick % 2 or pet.hp < pet.max_hp // 2:
            mending = book_of(unit.member.spec_id).mending if unit.member else _RECALL
            fight.mend("SPELL_PERIODIC_HEAL", unit, pet, mending, 4_500, 0.0)


def pet_cast(fight: Fight, unit: Unit, pick: int) -> None:
    if fight.pets:
        pet = fight.pets[pick % len(fight.pets)]
        fight.cast(pet, _FRENZY, fight.boss)


def full_power(fight: Fight, unit: Unit, pick: int) -> None:
    """Two lines of the same bytes, both true."""
    unit.power = unit.power_max
    surge = book_of(unit.member.spec_id).surge if unit.member else _RECALL
    fight.energize(unit, surge, 20)
    fight.energize(unit, surge, 20)


RARE: Final[tuple[Callable[[Fight, Unit, int], None], ...]] = (
    failed_cast,
    failed_cast,
    missed,
    missed,
    fall,
    friendly_fire,
    split,
    feign,
    resurrect,
    resurrect,
    empower,
    support,
    extra_attack,
    interrupt,
    emote,
    marker,
    doses,
    hurt_pet,
    hurt_pet,
    pet_cast,
    full_power,
)
