"""What a season of nights holds: dates, bosses, which pull is a kill, and who acts how often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from gamelake.games.draws import Draws
from gamelake.games.wow.simulate.encounters import BOSSES, Boss
from gamelake.games.wow.simulate.schedule import Act, Op, Stream
from gamelake.games.wow.simulate.spells import ARCHERS, HEALING_GUARDIANS, Spell, book_of
from gamelake.games.wow.simulate.units import is_melee

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.games.wow.simulate.units import Unit

DIFFICULTIES: Final = (14, 15, 16)
"""Normal, Heroic, Mythic; the next is tried once every boss of the one before has died."""

HARDNESS: Final = {14: 1.0, 15: 1.3, 16: 1.6}
"""Factor on boss health per difficulty."""


@dataclass(frozen=True)
class PullPlan:
    """One pull as it will go. `wipe_after` seconds for a wipe; `reset` ends before anybody has hit the boss."""

    boss: Boss
    difficulty_id: int
    kill: bool
    wipe_after: float = 0.0
    reset: bool = False


@dataclass(frozen=True)
class NightPlan:
    """One evening: when it starts (minutes after midnight of `day`, local) and its pulls."""

    number: int
    day: date
    start_minute: int
    pulls: tuple[PullPlan, ...]


def season(seed: int, nights: int, pulls: int, first_day: date) -> tuple[NightPlan, ...]:
    """All nights: two a week, a new lockout every week, a harder difficulty once everything has died.

    The chance of a kill grows with every attempt at a boss, and the first bosses are easier.
    """
    draws = Draws(seed, "season")
    attempts: dict[tuple[int, int], int] = {}
    beaten: set[tuple[int, int]] = set()
    plans = []
    dead: set[tuple[int, int]] = set()
    for night in range(nights):
        if night % 2 == 0:
            dead = set()
        of_night: list[PullPlan] = []
        while len(of_night) < pulls:
            found = _next_boss(beaten, dead)
            if found is None:
                break
            boss, difficulty = found
            key = (boss.number, difficulty)
            plan = _pull(draws, boss, difficulty, attempts.get(key, 0), known=key in beaten)
            attempts[key] = attempts.get(key, 0) + 1
            if plan.kill:
                dead.add(key)
                beaten.add(key)
            of_night.append(plan)
        late = draws.chance(0.25)  # such a night runs past midnight
        start = (
            draws.between(22 * 60 + 35, 23 * 60 + 20) if late else draws.between(19 * 60 + 30, 20 * 60 + 15)
        )
        plans.append(NightPlan(night, _day(first_day, night), start, tuple(of_night)))
    return tuple(plans)


def _next_boss(beaten: set[tuple[int, int]], dead: set[tuple[int, int]]) -> tuple[Boss, int] | None:
    """First boss alive this week on the guild's difficulty, or on the next one when that is cleared."""
    for difficulty in DIFFICULTIES:
        cleared = all((boss.number, difficulty) in beaten for boss in BOSSES)
        alive = [boss for boss in BOSSES if (boss.number, difficulty) not in dead]
        if alive and not (cleared and difficulty < DIFFICULTIES[-1]):
            return alive[0], difficulty
    return None


def _day(first: date, night: int) -> date:
    """Two evenings a week: the first day's weekday and five days on, never a weekend when it starts on Wednesday."""
    return first + timedelta(days=night // 2 * 7 + night % 2 * 5)


def _pull(draws: Draws, boss: Boss, difficulty: int, attempts: int, *, known: bool) -> PullPlan:
    ease = boss.ease / HARDNESS[difficulty] ** 2
    chance = 0.85 if known else min(0.8, ease + 0.05 * attempts)
    plan = PullPlan(boss, difficulty, kill=draws.chance(chance))
    progress = min(0.9, 0.25 + 0.08 * attempts)
    fraction = draws.real(0.22, 0.4 + 0.7 * progress)
    reset = draws.chance(0.06)
    if plan.kill:
        return plan
    return replace(plan, reset=reset, wipe_after=21.0 if reset else max(25.0, boss.seconds * fraction))


class Streams:
    """Turns the people and pets of a pull into streams of actions over one list of spells."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.spells: list[Spell] = []
        self.streams: list[Stream] = []
        self._index: dict[int, int] = {}

    def spell(self, spell: Spell) -> int:
        """Index of the spell in `spells`."""
        if spell.number not in self._index:
            self._index[spell.number] = len(self.spells)
            self.spells.append(spell)
        return self._index[spell.number]

    def add(self, actor: int, seconds: float, *acts: Act, power: float = 1.0) -> None:
        """An action every 2.8 times `seconds` at scale 1. Denser logs have smaller blows, so fights take as long."""
        self.streams.append(Stream(actor, seconds * 2800 / self.scale, acts, power / self.scale))

    def player(self, actor: int, unit: Unit) -> None:
        assert unit.member is not None
        skill = unit.member.skill
        if unit.member.role == "healer":
            self._healer(actor, unit.member.spec_id, skill)
        else:
            power = skill * (0.55 if unit.member.role == "tank" else 1.0)
            self._fighter(actor, unit.member.spec_id, power)
            if is_melee(unit.member):
                self.add(actor, 2.2, Act(Op.SWING, 1, 0.3), power=power)
        stance = self.spell(book_of(unit.member.spec_id).stance)
        self.add(actor, 4.0, Act(Op.AURA, 1, 0.0, stance))

    def _fighter(self, actor: int, spec_id: int, power: float) -> None:
        book = book_of(spec_id)
        shot = Op.SHOT if spec_id in ARCHERS else Op.HIT
        first, second, third = (self.spell(strike) for strike in book.strikes)
        surge, sweep, brand = self.spell(book.surge), self.spell(book.sweep), self.spell(book.lingering)
        self.add(
            actor,
            2.6,
            Act(shot, 0.36, 0.8, first, cast=True),
            Act(Op.HIT, 0.22, 1.3, second, cast=True),
            Act(Op.HIT, 0.12, 2.0, third, cast=True),
            Act(Op.SWEEP, 0.14, 0.5, sweep, cast=True),
            Act(Op.ENERGIZE, 0.10, 0.0, surge),
            Act(Op.RENEWAL, 0.06, 0.2, self.spell(book.renewal), heals=True),
            power=power,
        )
        self.add(actor, 2.4, Act(Op.TICK, 1, 0.35, brand), power=power)

    def _healer(self, actor: int, spec_id: int, skill: float) -> None:
        book = book_of(spec_id)
        self.add(
            actor,
            2.0,
            Act(Op.HEAL, 0.36, 1.7, self.spell(book.mending), cast=True, heals=True),
            Act(Op.TIDE, 0.22, 0.6, self.spell(book.tide), cast=True, heals=True),
            Act(Op.WARD, 0.14, 1.4, self.spell(book.ward), cast=True, heals=True),
            Act(Op.HIT, 0.16, 0.4, self.spell(book.strikes[0]), cast=True),
            Act(Op.ENERGIZE, 0.12, 0.0, self.spell(book.surge)),
            power=skill,
        )
        self.add(actor, 0.7, Act(Op.RENEWAL, 1, 0.55, self.spell(book.renewal), heals=True), power=skill)

    def pet(self, actor: int, spec_id: int) -> None:
        bite = self.spell(book_of(spec_id).strikes[1])
        self.add(actor, 2.2, Act(Op.HIT, 0.5, 0.3, bite), Act(Op.SWING, 0.5, 0.25))

    def guardian(self, owner: int, spec_id: int, slot: int) -> None:
        """Acts only while it is there; `slot` travels where others have their spell."""
        heals = spec_id in HEALING_GUARDIANS
        self.add(owner, 1.6, Act(Op.GUARDIAN, 1, 0.5, slot, heals=heals))

    def enemies(self, boss: Boss, actor: int, *, difficulty_id: int) -> None:
        power = 0.25 + 0.75 * HARDNESS[difficulty_id]
        pulse, bolt = self.spell(boss.pulse), self.spell(boss.bolt)
        self.add(actor, 1.7, Act(Op.BOSS_SWING, 1, 1.9, heals=True), power=power)
        self.add(actor, 7.0, Act(Op.BOSS_PULSE, 1, 1.1, pulse, heals=True), power=power)
        self.add(actor, 4.5, Act(Op.BOSS_BOLT, 1, 2.4, bolt, heals=True), power=power)
        self.add(actor, 25.0 * self.scale, Act(Op.MINIONS, 1, 0.0))
        self.add(actor, 1.6, Act(Op.MINION_SWING, 1, 0.5, heals=True), power=power)

    def rare(self, actors: Sequence[int]) -> None:
        for actor in actors:
            self.add(actor, 22.0, Act(Op.RARE, 1, 0.0))
