"""State and lines in one place: every blow or heal changes the units, the figures and the log together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gamelake.games.wow.simulate.truth import DeathTruth
from gamelake.games.wow.simulate.units import NOBODY_TEXT, Shield, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.games.draws import Draws
    from gamelake.games.wow.simulate.spells import Spell
    from gamelake.games.wow.simulate.writer import LogWriter

MELEE: Final = "Melee"


class Battlefield:
    """Players, pets and enemies of one stretch of the night, with what they do to each other."""

    def __init__(self, log: LogWriter, draws: Draws, players: Sequence[Unit]) -> None:
        self.log = log
        self.put = log.put
        self.draws = draws
        self.players = list(players)
        self.alive = [unit for unit in players if unit.hp > 0 and not unit.idle]
        self.deaths: list[DeathTruth] = []
        self.started = log.now

    # ── what players and their pets do ──────────────────────────────────────────────────────────────────────────

    def cast(self, source: Unit, spell: Spell, target: Unit | None = None) -> None:
        self.put(
            f"SPELL_CAST_SUCCESS,{source.text},{target.text if target else NOBODY_TEXT},{spell.text},{source.block()}"
        )
        if source.is_player:
            source.figures.casts += 1

    def strike(
        self,
        event: str,
        source: Unit,
        target: Unit,
        spell: Spell | None,
        amount: int,
        critical: float,
        reach: str = "ST",
    ) -> None:
        """A blow against the other side; `spell` None is a melee swing, which the log tells twice."""
        overkill = -1
        if amount >= target.hp:
            amount, overkill = self.last_blow(target, amount)
        target.hp -= amount - max(overkill, 0)
        base = int(amount / critical) if critical else amount + amount // 9
        flag = "1" if critical else "nil"
        if spell is None:
            suffix = f"{amount},{base},{overkill},1,0,0,0,{flag},nil,nil"
            self.put(f"SWING_DAMAGE,{source.text},{target.text},{source.block()},{suffix}")
            self.put(f"SWING_DAMAGE_LANDED,{source.text},{target.text},{target.block()},{suffix}")
        else:
            self.put(
                f"{event},{source.text},{target.text},{spell.text},{target.block()},"
                f"{amount},{base},{overkill},{spell.school},0,0,0,{flag},nil,nil,{reach}"
            )
        self.count_damage(source, target, amount, overkill, critical)
        if target.hp == 0:
            self.enemy_died(target, source)

    def last_blow(self, target: Unit, amount: int) -> tuple[int, int]:
        """(amount as logged, overkill) of a blow that takes all the health there is."""
        over = max(1, amount - target.hp)
        return target.hp + over, over

    def enemy_died(self, target: Unit, killer: Unit) -> None:
        self.put(f"PARTY_KILL,{killer.text},{target.text},0")
        self.put(f"UNIT_DIED,{NOBODY_TEXT},{target.text},0")

    def count_damage(self, source: Unit, target: Unit, amount: int, overkill: int, critical: float) -> None:
        player = source.credit
        if player is None:
            return
        figures = player.figures
        figures.damage_amount_incl_pets += amount
        figures.damage_hits_incl_pets += 1
        if critical:
            figures.crit_hits_incl_pets += 1
        if overkill > 0:
            figures.overkill_incl_pets += overkill
        if target.hostile:
            figures.damage_to_hostile_incl_pets += amount
        if source is player:
            figures.damage_amount_direct += amount

    def mend(
        self, event: str, source: Unit, target: Unit, spell: Spell, amount: int, critical: float
    ) -> None:
        """A heal; what does not fit into the target's health is overheal."""
        over = max(0, amount - (target.max_hp - target.hp))
        target.hp += amount - over
        flag = "1" if critical else "nil"
        self.put(
            f"{event},{source.text},{target.text},{spell.text},{target.block()},{amount},{amount},{over},0,{flag}"
        )
        if source.credit is not None:
            figures = source.credit.figures
            figures.heal_raw_incl_pets += amount
            figures.overheal_incl_pets += over
            figures.heal_effective_incl_pets += amount - over
            figures.heal_events_incl_pets += 1

    def ward(self, source: Unit, target: Unit, spell: Spell, amount: int) -> None:
        """Shields the target; a shield of the same caster is topped up."""
        for shield in target.shields:
            if shield.caster is source:
                shield.left = amount
                event = "SPELL_AURA_REFRESH"
                break
        else:
            target.shields.append(Shield(source, spell, amount))
            event = "SPELL_AURA_APPLIED"
        self.put(f"{event},{source.text},{target.text},{spell.text},BUFF,{amount}")

    def energize(self, unit: Unit, spell: Spell, amount: int) -> None:
        over = max(0, unit.power + amount - unit.power_max)
        unit.power += amount - over
        self.put(
            f"SPELL_ENERGIZE,{unit.text},{unit.text},{spell.text},{unit.block()},"
            f"{amount}.0000,{over}.0000,{unit.power_type},{unit.power_max}"
        )

    # ── what is done to players and their pets ──────────────────────────────────────────────────────────────────

    def hurt(
        self,
        source: Unit,
        target: Unit,
        total: int,
        spell: Spell | None,
        *,
        overkill: int = 0,
        reach: str = "AOE",
    ) -> None:
        """A blow against one of ours. Only with `overkill` > 0 does it kill; shields take their part first."""
        shields = sum(shield.left for shield in target.shields)
        if overkill:
            total = shields + target.hp + overkill
        elif total - shields >= target.hp:
            total = shields + target.hp // 2
        absorbed = self._absorb(source, target, total, spell) if shields else 0
        amount = total - absorbed
        if amount == 0:
            self._missed_by_absorb(source, target, total, spell, reach)
            return
        target.hp -= amount - overkill
        tail = f"{amount},{total + total // 4},{overkill or -1}"
        if spell is None:
            suffix = f"{tail},1,0,0,{absorbed},nil,nil,nil"
            self.put(f"SWING_DAMAGE,{source.text},{target.text},{source.block()},{suffix}")
            self.put(f"SWING_DAMAGE_LANDED,{source.text},{target.text},{target.block()},{suffix}")
        else:
            self.put(
                f"SPELL_DAMAGE,{source.text},{target.text},{spell.text},{target.block()},"
                f"{tail},{spell.school},0,0,{absorbed},nil,nil,nil,{reach}"
            )
        self.count_damage(source, target, amount, overkill, 0.0)
        if target.is_player:
            target.figures.damage_taken_amount += amount
            target.figures.damage_taken_absorbed += absorbed
            if overkill:
                self.fall(target, self.blow(source.name, spell.name if spell else MELEE, amount, overkill))

    @staticmethod
    def blow(source: str | None, spell: str, amount: int, overkill: int) -> dict[str, Any]:
        """A killing blow as reports show it."""
        return {"source": source, "spell": spell, "amount": amount, "overkill": overkill}

    def fall(self, unit: Unit, killing_blow: dict[str, Any]) -> None:
        """The unit is down; the client says so at once here, a moment later in a fight."""
        unit.hp = 0
        unit.shields.clear()
        self.alive = [other for other in self.alive if other is not unit]
        self.say_death(unit, killing_blow)

    def say_death(self, unit: Unit, killing_blow: dict[str, Any]) -> None:
        self.put(f"UNIT_DIED,{NOBODY_TEXT},{unit.text},0")
        unit.figures.deaths += 1
        self.deaths.append(DeathTruth(unit.guid, unit.name, self.log.now - self.started, killing_blow))

    def _absorb(self, source: Unit, target: Unit, total: int, spell: Spell | None) -> int:
        """What the shields take of the blow, oldest first; every one that gives something gets its line."""
        left = total
        form = f"{spell.text}," if spell else ""
        for shield in target.shields:
            taken = min(left, shield.left)
            if taken == 0:
                break
            shield.left -= taken
            left -= taken
            caster = shield.caster
            self.put(
                f"SPELL_ABSORBED,{source.text},{target.text},{form}{caster.text},{shield.spell.text},{taken},{total},nil"
            )
            if caster.credit is not None:
                caster.credit.figures.absorb_granted += taken
        for shield in target.shields:
            if shield.left == 0:
                self.put(f"SPELL_AURA_REMOVED,{shield.caster.text},{target.text},{shield.spell.text},BUFF,0")
        target.shields[:] = [shield for shield in target.shields if shield.left > 0]
        return total - left

    def _missed_by_absorb(
        self, source: Unit, target: Unit, total: int, spell: Spell | None, reach: str
    ) -> None:
        if spell is None:
            self.put(f"SWING_MISSED,{source.text},{target.text},ABSORB,nil,{total},{total},nil")
        else:
            self.put(
                f"SPELL_MISSED,{source.text},{target.text},{spell.text},ABSORB,nil,{total},{total},nil,{reach}"
            )
