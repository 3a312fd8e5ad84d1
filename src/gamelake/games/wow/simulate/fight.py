# ruff: noqa: ARG002 - the methods that play rows share one signature
"""One pull, from ENCOUNTER_START to ENCOUNTER_END, played line by line."""

from __future__ import annotations

import heapq
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gamelake.games.wow.simulate.battlefield import Battlefield
from gamelake.games.wow.simulate.guardians import Guardian
from gamelake.games.wow.simulate.mishaps import RARE
from gamelake.games.wow.simulate.plan import HARDNESS, Streams
from gamelake.games.wow.simulate.schedule import Op, Schedule
from gamelake.games.wow.simulate.spells import GUARDIAN_CALLERS, Spell
from gamelake.games.wow.simulate.units import NOBODY_TEXT, Unit, boss_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np

    from gamelake.games.draws import Draws
    from gamelake.games.wow.simulate.guardians import NightGuids
    from gamelake.games.wow.simulate.plan import PullPlan
    from gamelake.games.wow.simulate.writer import LogWriter

_RAGE: Final = (1.0, 1.5, 2.0)
_NEED: Final = (1.0, 1.8, 2.5)
_PERIL: Final = (0.02, 0.08, 0.15)
"""Per phase: damage factor, healing factor, chance that a player dies in it."""

HEALTH_PER_SECOND: Final = 5_000
"""Boss health per second of its table and fighter; an average raid then needs about those seconds."""

_WEIGHTS: Final = {"tank": 0.55, "healer": 0.08, "dps": 1.0}


class Fight(Battlefield):
    """The battlefield with a boss on it. `run` returns when the pull is over, END not yet written."""

    def __init__(
        self,
        log: LogWriter,
        draws: Draws,
        players: Sequence[Unit],
        pets: Sequence[Unit],
        plan: PullPlan,
        guids: NightGuids,
        scale: float,
    ) -> None:
        super().__init__(log, draws, players)
        self.plan = plan
        self.guids = guids
        needed = plan.boss.seconds * HARDNESS[plan.difficulty_id] * HEALTH_PER_SECOND
        health = int(needed * _strength(players)) + draws.between(0, 977)
        self.boss = boss_unit(guids.creature(plan.boss.npc_id), plan.boss.name, health)
        self.remains = draws.between(1, 400) if plan.boss.yields else 0
        self.pets = [pet for pet in pets if pet.credit is not None and not pet.credit.idle]
        self.minions: list[Unit] = []
        self.phase = 0
        self.phases: list[dict[str, int]] = []
        self.wiping = False
        self.won = False
        self.revivals = 3
        self._later: list[tuple[int, int, bool, Callable[[], None]]] = []
        self._count = 0
        self._guardians: list[Guardian] = []
        self._actors: list[Unit] = []
        self.streams = self._streams(scale)
        self._handlers: dict[int, Callable[[Unit, int, int, float, int], None]] = {
            Op.CAST: self._cast,
            Op.CAST_START: self._cast_start,
            Op.HIT: self._hit,
            Op.SHOT: self._shot,
            Op.TICK: self._tick,
            Op.SWEEP: self._sweep,
            Op.SWING: self._swing,
            Op.HEAL: self._heal,
            Op.RENEWAL: self._renewal,
            Op.TIDE: self._tide,
            Op.WARD: self._ward,
            Op.AURA: self._aura,
            Op.ENERGIZE: self._energize,
            Op.GUARDIAN: self._guardian,
            Op.BOSS_SWING: self._boss_swing,
            Op.BOSS_PULSE: self._boss_pulse,
            Op.BOSS_BOLT: self._boss_bolt,
            Op.MINIONS: self._minions_come,
            Op.MINION_SWING: self._minion_swing,
            Op.RARE: self._rare,
        }

    @property
    def spells(self) -> list[Spell]:
        return self.streams.spells

    def _streams(self, scale: float) -> Streams:
        streams = Streams(scale)
        active = [unit for unit in self.players if not unit.idle]
        self._actors = [*active, *self.pets, self.boss]
        boss = len(self._actors) - 1
        if not self.plan.reset:
            for at, unit in enumerate(active):
                streams.player(at, unit)
                if unit.member and unit.member.spec_id in GUARDIAN_CALLERS:
                    streams.guardian(at, unit.member.spec_id, len(self._guardians))
                    self._guardians.append(Guardian(self, unit))
            for at, pet in enumerate(self.pets, len(active)):
                streams.pet(at, self._spec_of(pet))
            streams.rare(range(len(active)))
        streams.enemies(self.plan.boss, boss, difficulty_id=self.plan.difficulty_id)
        return streams

    @staticmethod
    def _spec_of(pet: Unit) -> int:
        assert pet.credit is not None
        assert pet.credit.member is not None
        return pet.credit.member.spec_id

    # ── the course of the fight ─────────────────────────────────────────────────────────────────────────────────

    def prepare(self) -> None:
        """Guardians called just before the pull: their link is outside of it."""
        for guardian in self._guardians:
            if self.draws.chance(0.35):
                guardian.call(self.log.now, early=True)

    def run(self, rng: np.random.Generator) -> None:
        """Plays until the boss is down or nobody is left. Times in rows are since `started`."""
        self.started = started = self.log.now
        self._enter_phase(0)
        if not self.plan.kill:
            self.later(int(self.plan.wipe_after * 1000), self._begin_wipe)
        handlers = [self._handlers[op] for op in Op]
        actors, later, at = self._actors, self._later, self.log.at
        for ms, op, actor, spell, amount, critical, pick in Schedule(self.streams.streams, rng).rows():
            if self.won or (self.wiping and not self.alive):
                break
            now = started + ms
            while later and later[0][0] <= now:
                moment, _, _, action = heapq.heappop(later)
                at(moment)
                action()
            unit = actors[actor]
            if unit.hp:
                at(now)
                handlers[op](unit, spell, amount, critical, pick)
        self._settle()

    def _settle(self) -> None:
        """What was about to be logged still is; what was about to happen is not."""
        last = self.log.now + 40
        for moment, _, sure, action in sorted(self._later, key=lambda entry: entry[:2]):
            if sure:
                self.log.at(max(self.log.now, min(moment, last)))
                action()

    def later(self, ms: int, action: Callable[[], None], *, sure: bool = False) -> None:
        """Does something `ms` milliseconds from now; when the pull ends before, only if it is `sure`."""
        self._count += 1
        heapq.heappush(self._later, (self.log.now + ms, self._count, sure, action))

    def _enter_phase(self, number: int) -> None:
        self.phase = number
        self.phases.append({"phase": number + 1, "at_ms": self.log.now - self.started})
        if number:
            turn = self.plan.boss.turn
            self.cast(self.boss, turn)
            self.put(f"SPELL_AURA_APPLIED,{self.boss.text},{self.boss.text},{turn.text},BUFF")
            self.put(f'EMOTE,{self.boss.guid},"{self.boss.name}",{self.boss.guid},"{self.boss.name}",Enough!')
        if self.plan.reset:
            return
        for unit in list(self.alive):
            assert unit.member is not None
            chance = _PERIL[number] * max(0.2, 2.4 - 1.7 * unit.member.skill)
            if self.draws.chance(chance):
                self.later(self.draws.between(2_500, 38_000), partial(self._doom, unit))

    def _begin_wipe(self) -> None:
        self.wiping = True
        if self.plan.reset:  # everybody runs and the boss loses interest
            self.alive.clear()
            return
        for unit in self.alive:
            self.later(self.draws.between(150, 6_500), partial(self._doom, unit))

    def _doom(self, unit: Unit) -> None:
        if unit.hp == 0 or self.won:
            return
        tank = unit.member is not None and unit.member.role == "tank"
        spell = None if tank and self.draws.chance(0.5) else self.plan.boss.doom
        self.hurt(self.boss, unit, 0, spell, overkill=self.draws.between(1, 180_000))

    def fall(self, unit: Unit, killing_blow: dict[str, Any]) -> None:
        """As outside of a fight, but the client notices up to 33 milliseconds later."""
        unit.hp = 0
        unit.shields.clear()
        self.alive = [other for other in self.alive if other is not unit]
        self.later(self.draws.between(1, 33), partial(self.say_death, unit, killing_blow), sure=True)

    def last_blow(self, target: Unit, amount: int) -> tuple[int, int]:
        """The boss takes exactly what it has: with that, damage and lost health stay equal to the point."""
        return (target.hp, 0) if target is self.boss else super().last_blow(target, amount)

    def enemy_died(self, target: Unit, killer: Unit) -> None:
        super().enemy_died(target, killer)
        self.minions = [minion for minion in self.minions if minion is not target]

    def _strike_boss(
        self, event: str, source: Unit, spell: Spell | None, amount: int, critical: float, reach: str = "ST"
    ) -> None:
        boss = self.boss
        if self.won:
            return
        amount = int(amount * _RAGE[self.phase] * critical) if critical else int(amount * _RAGE[self.phase])
        if self.remains:
            amount = min(amount, boss.hp - self.remains)
        floor = 0 if self.plan.kill else boss.max_hp // 33
        if floor and boss.hp - amount < floor:  # a planned wipe stays one
            amount = 1
            if not self.wiping:
                self._begin_wipe()
        self.strike(event, source, boss, spell, amount, critical, reach)
        if boss.hp <= self.remains:
            self.won = True
        elif self.phase < 2 and boss.hp * 100 < boss.max_hp * (70, 40)[self.phase]:
            self._enter_phase(self.phase + 1)

    # ── who is where ────────────────────────────────────────────────────────────────────────────────────────────

    def someone(self, fits: Callable[[Unit], bool], pick: int) -> Unit | None:
        found = [unit for unit in self.alive if fits(unit)]
        return found[pick % len(found)] if found else None

    def neighbours(self, unit: Unit, pick: int, count: int) -> Iterable[Unit]:
        """Up to `count` others who are alive, well enough to be hurt."""
        others = [other for other in self.alive if other is not unit and other.hp > 5_000]
        return [others[(pick >> (5 * at)) % len(others)] for at in range(count)] if others else []

    def fallen(self) -> list[Unit]:
        """The dead whose death the client has noticed, longest dead first."""
        dead = {death.guid: None for death in self.deaths}
        return [unit for guid in dead for unit in self.players if unit.guid == guid and unit.hp == 0]

    def may_die(self, unit: Unit) -> bool:
        return len(self.alive) > 5 and not self.wiping and unit.hp > 0

    def _tank(self) -> Unit | None:
        """Whose turn it is to be hit: tanks change every twenty seconds."""
        tanks = [unit for unit in self.alive if unit.member is not None and unit.member.role == "tank"]
        if tanks:
            return tanks[self.log.now // 20_000 % len(tanks)]
        return self.alive[0] if self.alive else None

    def _patient(self, pick: int) -> Unit | None:
        """The worse off of three, one of them the tank."""
        alive = self.alive
        if not alive:
            return None
        first, second = alive[pick % len(alive)], alive[(pick >> 10) % len(alive)]
        worse = first if first.hp * second.max_hp <= second.hp * first.max_hp else second
        tank = self._tank() or first
        return tank if pick & 3 == 0 and tank.hp * 10 < tank.max_hp * 7 else worse

    # ── what rows do ────────────────────────────────────────────────────────────────────────────────────────────

    def _cast(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        self.cast(unit, self.spells[spell], self.boss if pick & 1 else None)

    def _cast_start(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        self.put(f"SPELL_CAST_START,{unit.text},{NOBODY_TEXT},{self.spells[spell].text}")

    def _hit(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        self._blow("SPELL_DAMAGE", unit, self.spells[spell], amount, critical, pick)

    def _shot(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        self._blow("RANGE_DAMAGE", unit, self.spells[spell], amount, critical, pick)

    def _tick(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        self._strike_boss("SPELL_PERIODIC_DAMAGE", unit, self.spells[spell], amount, critical)

    def _swing(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        self._blow("SWING_DAMAGE", unit, None, amount, critical, pick)

    def _blow(
        self, event: str, unit: Unit, spell: Spell | None, amount: int, critical: float, pick: int
    ) -> None:
        if self.minions and pick % 10 < 4:
            minion = self.minions[(pick >> 8) % len(self.minions)]
            self.strike(event, unit, minion, spell, int(amount * critical) if critical else amount, critical)
        else:
            self._strike_boss(event, unit, spell, amount, critical)

    def _sweep(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        entry = self.spells[spell]
        for minion in list(self.minions):
            hit = int(amount * critical) if critical else amount
            self.strike("SPELL_DAMAGE", unit, minion, entry, hit, critical, "AOE")
        self._strike_boss("SPELL_DAMAGE", unit, entry, amount, critical, "AOE")

    def _healing(self, amount: int, critical: float) -> int:
        return int(amount * _NEED[self.phase] * (critical or 1.0))

    def _heal(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        patient = self._patient(pick)
        if patient is not None:
            amount = self._healing(amount, critical)
            self.mend("SPELL_HEAL", unit, patient, self.spells[spell], amount, critical)

    def _renewal(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        patient = self._patient(pick >> 3)
        if patient is None:
            return
        amount, entry = self._healing(amount, critical), self.spells[spell]
        twice = patient.hp == patient.max_hp and pick % 16 == 0
        for _ in range(1 + twice):  # two true heals of the same bytes
            self.mend("SPELL_PERIODIC_HEAL", unit, patient, entry, amount, critical)

    def _tide(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        alive, amount = self.alive, self._healing(amount, critical)
        for at in range(min(5, len(alive))):
            patient = alive[(pick + at * 3) % len(alive)]
            self.mend("SPELL_HEAL", unit, patient, self.spells[spell], amount, critical)

    def _ward(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        patient = self._patient(pick)
        if patient is not None:
            self.ward(unit, patient, self.spells[spell], max(1, self._healing(amount, 0.0)))

    def _aura(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        unit.auras += 1
        event = ("SPELL_AURA_APPLIED", "SPELL_AURA_REFRESH", "SPELL_AURA_REMOVED")[(unit.auras - 1) % 3]
        line = f"{event},{unit.text},{unit.text},{self.spells[spell].text},BUFF"
        self.put(line)
        if event == "SPELL_AURA_REFRESH":
            self.put(line)

    def _energize(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        unit.power = max(0, unit.power - unit.power_max // 3)
        self.energize(unit, self.spells[spell], 1 + pick % max(2, unit.power_max // 5))

    def _guardian(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        self._guardians[spell].act(amount, critical, pick)

    def _boss_swing(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        tank = self._tank()
        if tank is None or self.plan.reset:
            return
        if pick % 9 == 0:
            self.put(f"SWING_MISSED,{unit.text},{tank.text},{('DODGE', 'PARRY')[pick & 1]},nil")
        else:
            self.hurt(unit, tank, int(amount * _NEED[self.phase]), None)

    def _boss_pulse(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        entry = self.spells[spell]
        self.cast(unit, entry)
        alive = list(self.alive)
        for at in range(len(alive) * 2 // 3):
            share = int(amount * _NEED[self.phase]) * (70 + (pick >> (at % 20)) % 60) // 100
            self.hurt(unit, alive[(pick + at) % len(alive)], share, entry)

    def _boss_bolt(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        if self.alive:
            self.cast(unit, self.spells[spell])
            victim = self.alive[pick % len(self.alive)]
            self.hurt(unit, victim, int(amount * _NEED[self.phase]), self.spells[spell], reach="ST")

    def _minions_come(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        if len(self.minions) < 3 and not self.plan.reset:
            for _ in range(2 + pick % 3):
                guid = self.guids.creature(self.plan.boss.npc_id + 500)
                self.minions.append(Unit(guid, self.plan.boss.minion, 0xA48, 160_000 + pick % 9_000))

    def _minion_swing(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        if self.minions and self.alive:
            minion = self.minions[pick % len(self.minions)]
            self.hurt(minion, self.alive[(pick >> 7) % len(self.alive)], amount, None)

    def _rare(self, unit: Unit, spell: int, amount: int, critical: float, pick: int) -> None:
        RARE[pick % len(RARE)](self, unit, pick >> 6)

    def guardian_blow(self, source: Unit, spell: Spell | None, amount: int, critical: float) -> None:
        """What guardians do when they do not heal."""
        event = "SWING_DAMAGE" if spell is None else "SPELL_DAMAGE"
        self._strike_boss(event, source, spell, amount, critical)


def _strength(players: Sequence[Unit]) -> float:
    """How many fighters the group is worth."""
    return sum(_WEIGHTS[unit.member.role] for unit in players if unit.member is not None)
