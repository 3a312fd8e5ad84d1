"""Pets that come and go, and the GUIDs of everything that is not a player."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from gamelake.games.wow.simulate.encounters import INSTANCE_ID
from gamelake.games.wow.simulate.spells import CHAIN_CALLERS, HEALING_GUARDIANS, book_of
from gamelake.games.wow.simulate.units import NOBODY_TEXT, Unit, pet_unit

if TYPE_CHECKING:
    from gamelake.games.wow.simulate.fight import Fight
    from gamelake.games.wow.simulate.spells import Spell

_STAYS_MS: Final = 22_000
_RESTS_MS: Final = 24_000


@dataclass
class NightGuids:
    """GUIDs of one night's instance; every spawn gets a number of its own."""

    server: int
    zone: int
    spawns: int = field(default=0)

    def creature(self, npc_id: int) -> str:
        self.spawns += 1
        return f"Creature-0-{self.server}-{INSTANCE_ID}-{self.zone}-{npc_id}-{0x13000000 + self.spawns:010X}"

    def pet(self, npc_id: int, owner_index: int) -> str:
        """A permanent pet keeps its number for the whole night."""
        return f"Pet-0-{self.server}-{INSTANCE_ID}-{self.zone}-{npc_id}-{0x0200000000 + owner_index * 7 + 1:010X}"


def guids_of_night(night: int) -> NightGuids:
    """The server and zone of a night's instance."""
    return NightGuids(server=4_700 + night % 90, zone=31_000 + night)


class Guardian:
    """One player's guardian: called for a while, gone for a while, a new GUID every time.

    Half of the calls are logged after the first blow, so a reader has to look at the log twice.
    """

    def __init__(self, fight: Fight, owner: Unit) -> None:
        assert owner.member is not None
        self.fight = fight
        self.owner = owner
        self.spec_id = owner.member.spec_id
        self.unit: Unit | None = None
        self.child: Unit | None = None
        self.until = -1
        self.again = 0

    @property
    def spell(self) -> Spell:
        book = book_of(self.spec_id)
        return book.tide if self.spec_id in HEALING_GUARDIANS else book.strikes[2]

    def call(self, now: int, *, early: bool = False) -> None:
        """A new guardian, and for some a small one that it calls itself."""
        fight, self.until, self.again = self.fight, now + _STAYS_MS, now + _STAYS_MS + _RESTS_MS
        summon = book_of(self.spec_id).summon
        unit = pet_unit(
            self.owner, fight.guids.creature(902_000 + self.spec_id), "Loyal Shade", guardian=True
        )
        self.unit, self.child = unit, None
        lines = [f"SPELL_SUMMON,{self.owner.text},{unit.text},{summon.text}"]
        if self.spec_id in CHAIN_CALLERS:
            guid = fight.guids.creature(904_000 + self.spec_id)
            self.child = pet_unit(self.owner, guid, "Lesser Shade", guardian=True, of=unit)
            lines.append(f"SPELL_SUMMON,{unit.text},{self.child.text},{summon.text}")
        if not early and fight.draws.chance(0.5):
            for line in lines:
                fight.later(fight.draws.between(90, 400), partial(fight.put, line), sure=True)
        else:
            for line in lines:
                fight.put(line)

    def act(self, amount: int, critical: float, pick: int) -> None:
        now = self.fight.log.now
        if now >= self.until:
            if self.unit is not None and pick % 2:
                self.fight.put(f"UNIT_DIED,{NOBODY_TEXT},{self.unit.text},0")
            self.unit = None
            if now < self.again:
                return
            self.call(now)
        assert self.unit is not None
        source = self.child if self.child is not None and pick % 3 == 0 else self.unit
        if self.spec_id in HEALING_GUARDIANS:
            if self.fight.alive:
                patient = self.fight.alive[pick % len(self.fight.alive)]
                self.fight.mend("SPELL_HEAL", source, patient, self.spell, amount, critical)
        else:
            self.fight.guardian_blow(source, self.spell if pick & 1 else None, amount, critical)
