"""Encounter lines → pulls: where each begins and ends, who fought, and which of several logs counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta

from gamelake.games.wow.specs import spec_of

MATCH_MS = 5_000  # two logs show the same fight when it starts within this of each other
HEADLESS_MS = 10_000  # an END belongs to a START whose time plus the fight's length is this near
_NUMBER = re.compile(r"-?[0-9]{1,10}")
_FIELD = re.compile(r'"([^"]*)"|([^,]*)')


def fields_of(payload: str) -> list[str]:
    """Fields of a payload, quotes removed; commas inside quotes do not split.

    >>> fields_of('ENCOUNTER_START,3135,"Dimensius, the All-Devouring",14')
    ['ENCOUNTER_START', '3135', 'Dimensius, the All-Devouring', '14']
    """
    out: list[str] = []
    at = 0
    while True:
        match = _FIELD.match(payload, at)
        if match is None:  # cannot happen: the pattern matches the empty field
            return out
        quoted, plain = match.groups()
        out.append(plain if quoted is None else quoted)
        at = match.end()
        if at >= len(payload):
            return out
        at += 1


@dataclass(frozen=True)
class Combatant:
    """One COMBATANT_INFO line."""

    player_id: str
    faction: int
    spec_id: int


@dataclass(frozen=True)
class Mark:
    """An ENCOUNTER_START or _END line: where it stands and what it says."""

    stretch: int  # index of the stretch in the night
    line: int  # line number in its part
    time: int  # UTC ms
    encounter_id: int
    name: str
    difficulty_id: int
    group_size: int
    instance_id: int | None = None  # START
    success: bool | None = None  # END
    fight_ms: int | None = None  # END of newer dialects
    local_day: int = 0


@dataclass
class Bounds:
    """Line numbers of START and END in one stretch, None where the stretch does not hold the line."""

    start: int | None = None
    end: int | None = None


@dataclass
class Pull:
    """One attempt at a boss, as one recorder saw it."""

    encounter_id: int
    name: str
    difficulty_id: int
    group_size: int
    instance_id: int
    start: int  # UTC ms
    end: int  # UTC ms; last line when no END was logged
    day: int  # raid day
    recorder: str = ""
    success: bool | None = None
    fight_ms: int | None = None
    ended: bool = False
    bounds: dict[int, Bounds] = field(default_factory=dict)  # stretch → lines
    roster: dict[str, Combatant] = field(default_factory=dict)
    lines: int = 0
    counted: bool = True
    duplicate_of: int | None = None
    number: int = 0

    @property
    def duration_ms(self) -> int:
        """The game's own figure where it gives one, else END minus START."""
        return self.fight_ms if self.fight_ms is not None else max(self.end - self.start, 0)

    def raid_id(self, team: str) -> str:
        """`{instance_id}-{date of the pull}`, with the team's label behind it."""
        day = date(1970, 1, 1) + timedelta(days=self.day)
        return f"{self.instance_id}-{day.isoformat()}" + (f"-{team}" if team else "")


def read_mark(payload: str, *, stretch: int, line: int, time: int, day: int) -> Mark | None:
    """Mark of a START or END payload; None when its numbers cannot be read."""
    parts = fields_of(payload)
    try:
        encounter, name, difficulty, size = _whole(parts[1]), parts[2], _whole(parts[3]), _whole(parts[4])
        if parts[0] == "ENCOUNTER_START":
            instance = _whole(parts[5])
            return Mark(
                stretch, line, time, encounter, name, difficulty, size, instance_id=instance, local_day=day
            )
        fight = _whole(parts[6]) if len(parts) > 6 else None  # absent in old dialects
        success = _whole(parts[5]) == 1
        return Mark(
            stretch,
            line,
            time,
            encounter,
            name,
            difficulty,
            size,
            success=success,
            fight_ms=fight,
            local_day=day,
        )
    except (IndexError, ValueError):
        return None


def read_combatant(payload: str) -> Combatant | None:
    """Player and specialisation of a COMBATANT_INFO payload.

    The specialisation is the last number before the first list, whatever the dialect (field 24 or 25).
    """
    flat = re.split(r",[(\[]", payload, maxsplit=1)[0].split(",")
    try:
        return Combatant(flat[1], _whole(flat[2]), _whole(flat[-1]) if len(flat) > 3 else 0)
    except (IndexError, ValueError):
        return Combatant(flat[1], 0, 0) if len(flat) > 1 and flat[1].startswith("Player-") else None


def _whole(word: str) -> int:
    """The number a field holds; ValueError for anything else, and for what no column could keep."""
    value = int(word) if _NUMBER.fullmatch(word) else 2**31
    if not -(2**31) <= value < 2**31:
        raise ValueError(word)
    return value


class PullFinder:
    """Marks of one recorder, in stretch order → pulls. Feed each stretch in line order."""

    def __init__(self, recorder: str) -> None:
        self.recorder = recorder
        self.pulls: list[Pull] = []
        self._open: Pull | None = None
        self._loose: list[tuple[int, Combatant]] = []  # the START stands in another stretch
        self._stretch = -1

    def mark(self, mark: Mark) -> None:
        """Take the next START or END."""
        self._turn_to(mark.stretch)
        if mark.instance_id is not None:
            self._start(mark)
        else:
            self._end(mark)

    def combatant(self, stretch: int, combatant: Combatant, time: int) -> None:
        """Take a COMBATANT_INFO line (UTC ms): it belongs to the open pull, else to the one at that time."""
        self._turn_to(stretch)
        if self._open is not None:
            self._open.roster.setdefault(combatant.player_id, combatant)
        else:
            self._loose.append((time, combatant))

    def finish(self, last_times: dict[int, int]) -> list[Pull]:
        """All pulls in time order; those without an END stop at the last line (UTC ms) of their stretches."""
        self._turn_to(-1)
        for pull in self.pulls:
            if not pull.ended:
                nexts = [other.start for other in self.pulls if other.start > pull.start]
                last = max((last_times[stretch] for stretch in pull.bounds), default=pull.start)
                pull.end = max(pull.start, min([last, *nexts]))
            for time, combatant in self._loose:
                if pull.start <= time <= pull.end:
                    pull.roster.setdefault(combatant.player_id, combatant)
        return sorted(self.pulls, key=lambda pull: (pull.start, pull.encounter_id))

    def _turn_to(self, stretch: int) -> None:
        if stretch != self._stretch:
            self._stretch = stretch
            self._open = None

    def _start(self, mark: Mark) -> None:
        again = self._open
        if again is not None and again.encounter_id == mark.encounter_id and mark.time - again.start < 1000:
            return  # Classic Era prints the line twice
        known = next(
            (p for p in self.pulls if p.encounter_id == mark.encounter_id and p.start == mark.time), None
        )
        if known is None:
            known = self._headless_before(mark)
        if known is None:
            known = Pull(
                mark.encounter_id,
                mark.name,
                mark.difficulty_id,
                mark.group_size,
                mark.instance_id or 0,
                mark.time,
                mark.time,
                mark.local_day,
                self.recorder,
            )
            self.pulls.append(known)
        known.bounds.setdefault(mark.stretch, Bounds()).start = mark.line
        self._open = known

    def _headless_before(self, mark: Mark) -> Pull | None:
        """A pull known only by its END, whose START this is."""
        for pull in self.pulls:
            near = abs(pull.start - mark.time) < HEADLESS_MS
            if pull.encounter_id == mark.encounter_id and near and pull.ended and pull.instance_id == 0:
                pull.start, pull.instance_id, pull.day = mark.time, mark.instance_id or 0, mark.local_day
                return pull
        return None

    def _end(self, mark: Mark) -> None:
        pull = self._open
        if pull is None or pull.encounter_id != mark.encounter_id:
            pull = self._matching(mark)
        if pull is None:
            if mark.fight_ms is None:
                return  # neither START nor length: nothing says where this fight began
            start = mark.time - mark.fight_ms
            pull = Pull(
                mark.encounter_id,
                mark.name,
                mark.difficulty_id,
                mark.group_size,
                0,
                start,
                mark.time,
                mark.local_day,
                self.recorder,
            )
            self.pulls.append(pull)
        pull.ended, pull.success, pull.fight_ms, pull.end = True, mark.success, mark.fight_ms, mark.time
        pull.bounds.setdefault(mark.stretch, Bounds()).end = mark.line
        self._open = None

    def _matching(self, mark: Mark) -> Pull | None:
        """The pull of another stretch that this END closes."""
        begun = [p for p in self.pulls if p.encounter_id == mark.encounter_id and p.start <= mark.time]
        for pull in sorted(begun, key=lambda p: p.start, reverse=True):
            if pull.ended and pull.end == mark.time:
                return pull
            if not pull.ended:
                near = mark.fight_ms is None or abs(pull.start + mark.fight_ms - mark.time) < HEADLESS_MS
                return pull if near else None
        return None


def choose_counted(groups: list[list[Pull]]) -> list[Pull]:
    """All pulls of a night; where several recorders show the same fight only the fullest log counts.

    The same fight: same encounter, start within 5 s, and at least half of the smaller roster shared.
    """
    pulls = sorted(
        (p for group in groups for p in group), key=lambda p: (p.start, p.encounter_id, p.recorder)
    )
    for index, pull in enumerate(pulls):
        for other in pulls[index + 1 :]:
            if other.start - pull.start > MATCH_MS:
                break
            if (
                pull.recorder != other.recorder
                and _same_fight(pull, other)
                and pull.counted
                and other.counted
            ):
                loser = min(pull, other, key=lambda p: (p.lines, p.recorder))
                winner = other if loser is pull else pull
                loser.counted = False
                loser.duplicate_of = pulls.index(winner)
    numbers: dict[tuple[int, int, int], int] = {}
    for pull in pulls:
        if pull.counted:
            key = (pull.day, pull.instance_id, pull.encounter_id)
            numbers[key] = pull.number = numbers.get(key, 0) + 1
    return pulls


def _same_fight(one: Pull, other: Pull) -> bool:
    if one.encounter_id != other.encounter_id:
        return False
    smaller = min(len(one.roster), len(other.roster))
    return smaller == 0 or 2 * len(one.roster.keys() & other.roster.keys()) >= smaller


def describe_spec(spec_id: int) -> tuple[str, str, str]:
    """(class, role, specialisation) of an id; `Unknown` where we do not know it."""
    spec = spec_of(spec_id)
    return spec.class_name, spec.role, spec.name
