"""The boss of a pull: its health, the conservation of damage, and phases.

Physics: for one unhealed boss the sum of (amount + absorbed) over the damage lines to it equals the health it lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gamelake.games.wow.kernels import shapes

if TYPE_CHECKING:
    import numpy.typing as npt

    from gamelake.games.wow.night import Night
    from gamelake.games.wow.parsed import EventRows
    from gamelake.games.wow.pulls import Pull

    Ints = npt.NDArray[np.int64]

PHASE_AT = (70, 40)  # health, percent, at which a new phase begins when the log names none
_HOSTILE = 0x40
_PERCENT_BLOCK = 16  # advanced blocks of this length give most units' health in percent
_LIST = ("SPELL_DAMAGE", "SPELL_PERIODIC_DAMAGE", "RANGE_DAMAGE", "SWING_DAMAGE")
_NAMES = [name for name, _ in shapes.KNOWN]
_DAMAGE = np.array([_NAMES.index(name) for name in (*_LIST, "ENVIRONMENTAL_DAMAGE", "DAMAGE_SPLIT")])
_HEAL = np.array([_NAMES.index(name) for name in ("SPELL_HEAL", "SPELL_PERIODIC_HEAL")])


@dataclass
class Unit:
    """One creature in one pull."""

    max_hp: int = 0
    last_hp: int = 0
    taken: int = 0
    healed: bool = False
    seen: bool = False
    percent: bool = False
    track: list[tuple[Ints, Ints]] = field(default_factory=list)  # (ms since the pull began, health)


@dataclass(frozen=True)
class Phase:
    """A stretch of a pull, ms since it began; the end is exclusive."""

    number: int
    start: int
    end: int
    rule: str


@dataclass(frozen=True)
class Boss:
    """What is known of a pull's boss at its end."""

    unit_id: str | None
    name: str | None
    named: bool
    unit: Unit
    whole: bool = True  # the log holds the pull from its START on

    @property
    def hp_pct(self) -> float | None:
        """Health left, percent, to two places; None when no line tells."""
        if not self.unit.max_hp:
            return None
        return round(100 * self.unit.last_hp / self.unit.max_hp, 2)

    @property
    def conservation_error(self) -> float | None:
        """(damage taken − health lost) ÷ max health; None when unnamed, healed, or known in percent only."""
        unit = self.unit
        if not self.named or not self.whole or unit.healed or unit.percent or not unit.max_hp:
            return None
        return (unit.taken - (unit.max_hp - unit.last_hp)) / unit.max_hp


class BossWatch:
    """Collects the health of creatures, pull by pull, from event rows in log order."""

    def __init__(self, night: Night) -> None:
        self._night = night
        self._units: dict[tuple[int, int], Unit] = {}

    def feed(self, batch: EventRows) -> None:
        """Take the rows of one batch, landed swings included: their blocks show the health of the struck."""
        rows, pulls = batch.rows, batch.pulls
        if not rows.size:
            return
        inside = pulls >= 0
        info = rows[shapes.C_INFO]
        is_player = self._night.is_player
        foe = np.where(
            info == rows[shapes.C_TARGET], rows[shapes.C_TARGET_FLAGS], rows[shapes.C_SOURCE_FLAGS]
        )  # fmt: skip
        speaks = inside & (info >= 0) & ~is_player[info] & ((foe & _HOSTILE) != 0)
        self._health(batch, np.flatnonzero(speaks))
        target = rows[shapes.C_TARGET]
        hit = inside & (target >= 0) & ~is_player[target]
        subevent = rows[shapes.C_SUBEVENT]
        self._damage(batch, np.flatnonzero(hit & np.isin(subevent, _DAMAGE)))
        effective = rows[shapes.C_AMOUNT] > rows[shapes.C_OVERHEAL]
        for pull, unit in _pairs(
            batch, np.flatnonzero(hit & np.isin(subevent, _HEAL) & effective), shapes.C_TARGET
        ):
            self._unit(pull, unit).healed = True

    def _unit(self, pull: int, code: int) -> Unit:
        return self._units.setdefault((pull, code), Unit())

    def _health(self, batch: EventRows, chosen: Ints) -> None:
        for pull, code, at in _groups(batch, chosen, shapes.C_INFO):
            unit = self._unit(pull, code)
            health, most = batch.rows[shapes.C_HP][at], batch.rows[shapes.C_MAX_HP][at]
            unit.max_hp = max(unit.max_hp, int(most.max()))
            unit.last_hp = int(health[-1])
            unit.seen = True
            unit.percent |= bool((batch.rows[shapes.C_BLOCK][at] == _PERCENT_BLOCK).any())
            unit.track.append((batch.times[at] - self._night.pulls[pull].start, health))

    def _damage(self, batch: EventRows, chosen: Ints) -> None:
        for pull, code, at in _groups(batch, chosen, shapes.C_TARGET):
            amounts = batch.rows[shapes.C_AMOUNT][at] + batch.rows[shapes.C_ABSORBED][at]
            self._unit(pull, code).taken += int(amounts.sum())

    def boss(self, pull_index: int) -> Boss:
        """The unit that bears the encounter's name; else one whose name begins like it; else the one with most health.

        Among several the greatest maximal health wins, then the smallest GUID.
        """
        strings = self._night.strings
        title = self._night.pulls[pull_index].name
        best: tuple[tuple[int, int, str], int, Unit] | None = None
        for (pull, code), unit in self._units.items():
            if pull != pull_index or not unit.seen:
                continue
            name_code = int(strings.owners[code, 2])
            name = strings[name_code] if name_code >= 0 else ""
            likeness = 2 if name == title else 1 if _begins_like(title, name) else 0
            guid = strings[code]
            rank = (likeness, unit.max_hp, "".join(chr(0x10FFFF - ord(letter)) for letter in guid))
            if best is None or rank > best[0]:
                best = (rank, code, unit)
        if best is None:
            return Boss(None, None, named=False, unit=Unit())
        rank, code, unit = best
        whole = any(bounds.start is not None for bounds in self._night.pulls[pull_index].bounds.values())
        return Boss(
            strings[code], strings[int(strings.owners[code, 2])], named=rank[0] == 2, unit=unit, whole=whole
        )


def phases_of(pull: Pull, boss: Boss) -> list[Phase]:
    """Bounds by the boss's health; one phase where no unit of the encounter's name is seen."""
    length = max(pull.duration_ms, 1)
    marks = [(0, "pull")]
    if boss.named and boss.unit.max_hp:
        times = np.concatenate([track[0] for track in boss.unit.track])
        share = np.concatenate([track[1] for track in boss.unit.track]) * 100 / boss.unit.max_hp
        for percent in PHASE_AT:
            below = np.flatnonzero(share <= percent)
            if below.size:
                marks.append((int(np.clip(times[below[0]], marks[-1][0], length)), f"boss at {percent} %"))
    ends = [start for start, _ in marks[1:]] + [length]
    return [
        Phase(n, start, end, rule) for n, ((start, rule), end) in enumerate(zip(marks, ends, strict=True), 1)
    ]


def _begins_like(title: str, name: str) -> bool:
    """True for a title such as `Dimensius, the All-Devouring` and a unit called `Dimensius`."""
    return bool(name) and title.startswith(name) and not title[len(name)].isalnum()


def _pairs(batch: EventRows, chosen: Ints, column: int) -> set[tuple[int, int]]:
    pulls, codes = batch.pulls[chosen], batch.rows[column][chosen]
    return set(zip(pulls.tolist(), codes.tolist(), strict=True))


def _groups(batch: EventRows, chosen: Ints, column: int) -> list[tuple[int, int, Ints]]:
    """(pull, unit, rows in log order) of the chosen rows."""
    if not chosen.size:
        return []
    keys = batch.pulls[chosen] << np.int64(32) | batch.rows[column][chosen]
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    cuts = np.flatnonzero(np.diff(sorted_keys)) + 1
    parts = np.split(chosen[order], cuts)
    firsts = sorted_keys[np.concatenate([[0], cuts])]
    return [(int(key >> 32), int(key & 0xFFFFFFFF), part) for key, part in zip(firsts, parts, strict=True)]
