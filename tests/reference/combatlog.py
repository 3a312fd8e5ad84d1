"""A slow, obvious reader of WoWCombatLog.txt: the twin that the fast reader is compared with.

Everything is plain Python over whole lines; nothing is shared with the fast reader but the spec table.
What was measured on the shared real logs, and what this file therefore does:

- A pull is the lines *in log order* from ENCOUNTER_START to ENCOUNTER_END. A line after END does not count even
  when it carries END's very timestamp (one wipe has such a hit).
- Damage done is SPELL_, SPELL_PERIODIC_, RANGE_ and SWING_DAMAGE to anybody. SWING_DAMAGE_LANDED repeats a swing.
- A pet belongs to whom SPELL_SUMMON or the advanced block's ownerGUID says, wherever in the log that is said.
  Chains are followed to a player; of contradicting links the earliest wins, then the smaller owner GUID.
- Healing of pets counts for the owner; casts of pets do not; damage to pets is nobody's damage taken.
- The roster is the COMBATANT_INFO lines of the pull. Its spec is the field before the first bracketed one.
- The killing blow is logged before UNIT_DIED, up to 33 ms earlier in what we saw. Falls carry overkill 0 although
  the player lives, so an ENVIRONMENTAL_DAMAGE line kills only when its block shows no health left.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gamelake.games.wow.specs import spec_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOBODY = "0000000000000000"

DAMAGE_DONE = {"SPELL_DAMAGE", "SPELL_PERIODIC_DAMAGE", "RANGE_DAMAGE", "SWING_DAMAGE"}
DAMAGE = DAMAGE_DONE | {"ENVIRONMENTAL_DAMAGE", "DAMAGE_SPLIT"}
HEAL = {"SPELL_HEAL", "SPELL_PERIODIC_HEAL"}
ENERGIZE = {"SPELL_ENERGIZE", "SPELL_PERIODIC_ENERGIZE"}
EVENTS = DAMAGE | HEAL | ENERGIZE | {"SPELL_ABSORBED", "SPELL_CAST_SUCCESS", "UNIT_DIED"}
CONTEXT = {
    "ENCOUNTER_START",
    "ENCOUNTER_END",
    "COMBATANT_INFO",
    "COMBAT_LOG_VERSION",
    "ZONE_CHANGE",
    "MAP_CHANGE",
    "EMOTE",
    "SPELL_SUMMON",
}
CONTEXT_PREFIXES = ("CHALLENGE_MODE_", "ARENA_", "WORLD_MARKER_")

_SPELL_DAMAGE = {22: 0, 23: 0, 38: 16, 39: 17, 42: 19}
_HEAL = {17: 0, 33: 16, 34: 17, 36: 19}
_ENERGIZE = {16: 0, 32: 16, 33: 17, 35: 19}
_SWING = {19: 0, 35: 16, 36: 17, 38: 19}
SHAPES = {
    "SPELL_DAMAGE": _SPELL_DAMAGE,
    "SPELL_PERIODIC_DAMAGE": _SPELL_DAMAGE,
    "RANGE_DAMAGE": _SPELL_DAMAGE,
    "DAMAGE_SPLIT": _SPELL_DAMAGE,
    "SWING_DAMAGE": _SWING,
    "SWING_DAMAGE_LANDED": _SWING,
    "ENVIRONMENTAL_DAMAGE": {20: 0, 36: 16, 37: 17, 39: 19},
    "SPELL_HEAL": _HEAL,
    "SPELL_PERIODIC_HEAL": _HEAL,
    "SPELL_ENERGIZE": _ENERGIZE,
    "SPELL_PERIODIC_ENERGIZE": _ENERGIZE,
    "SPELL_CAST_SUCCESS": {12: 0, 28: 16, 29: 17, 31: 19},
}
"""Field count → length of the advanced block, per subevent."""

PLAIN_SHAPES = {
    "SPELL_ABSORBED": {18, 19, 21, 22},
    "UNIT_DIED": {9, 10},
    "SPELL_SUMMON": {12},
    "ENCOUNTER_START": {5, 6, 7},
    "ENCOUNTER_END": {6, 7},
}

_TIMESTAMP = re.compile(
    r"(\d{1,2})/(\d{1,2})(?:/(\d{4}))? (\d\d):(\d\d):(\d\d)\.(\d{3})(-?\d{1,2}(?:\.\d+)?)?  ", re.ASCII
)
_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_GUID = re.compile(r"(0{16}|[A-Z][A-Za-z]*-[0-9A-Za-z-]+)\Z")
_SPECIAL = re.compile(r'[",()\[\]]')
_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")  # what fits into 64 bits
_FLAGS = re.compile(r"0x[0-9a-fA-F]+\Z")


class Malformed(Exception):  # noqa: N818 - a reason, caught next door
    """A line that cannot be parsed; its text is the reason."""


@dataclass(frozen=True)
class Line:
    """One line that could be parsed; `kind` is event, context or ignored."""

    number: int
    local: datetime
    offset_hours: float | None
    fields: tuple[str, ...]
    kind: str
    block: int | None = None

    @property
    def name(self) -> str:
        return self.fields[0]

    @property
    def advanced(self) -> tuple[str, ...]:
        """The advanced block, empty when the line has none."""
        at = self._block_at
        return self.fields[at : at + (self.block or 0)]

    @property
    def suffix(self) -> tuple[str, ...]:
        """What follows the block: amounts first."""
        after = self._block_at + (self.block or 0)
        return self.fields[after + 1 :] if self.name == "ENVIRONMENTAL_DAMAGE" else self.fields[after:]

    @property
    def spell(self) -> str:
        if self.name.startswith("SWING_"):
            return "Melee"
        if self.name == "ENVIRONMENTAL_DAMAGE":
            return self.fields[self._block_at + (self.block or 0)]
        return self.fields[10]

    @property
    def _block_at(self) -> int:
        return 9 if self.name.startswith(("SWING_", "ENVIRONMENTAL_")) else 12


def split_fields(text: str) -> tuple[str, ...]:
    """Fields of the part after the timestamp; commas inside quotes and brackets do not split.

    >>> split_fields('X,"a, b",[(1,2)],nil')
    ('X', 'a, b', '[(1,2)]', 'nil')
    """
    fields: list[str] = []
    begin, depth, quoted = 0, 0, False
    for found in _SPECIAL.finditer(text):
        mark = found.group()
        if mark == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif mark in "([":
            depth += 1
        elif mark in ")]":
            depth -= 1
            if depth < 0:
                raise Malformed("quotes")
        elif depth == 0:
            fields.append(text[begin : found.start()])
            begin = found.end()
    if quoted or depth:
        raise Malformed("quotes")
    fields.append(text[begin:])
    return tuple(value.replace('"', "") for value in fields)


def parse_timestamp(text: str, year: int) -> tuple[datetime, float | None, str]:
    """(local time, UTC offset in hours or None, rest of the line).

    >>> parse_timestamp("2/16/2026 23:02:12.462-4  X", 2000)
    (datetime.datetime(2026, 2, 16, 23, 2, 12, 462000), -4.0, 'X')
    """
    found = _TIMESTAMP.match(text)
    if found is None:
        raise Malformed("timestamp")
    month, day, own_year, hour, minute, second, milli, offset = found.groups()
    try:
        local = datetime(  # noqa: DTZ001 - the log's own wall clock; the offset is beside it
            int(own_year or year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int(milli) * 1000,
        )
    except ValueError:
        raise Malformed("timestamp") from None
    return local, None if offset is None else float(offset), text[found.end() :]


def _is_context(name: str) -> bool:
    return name in CONTEXT or name.startswith(CONTEXT_PREFIXES)


def _check_shape(fields: Sequence[str]) -> int | None:
    """Length of the block; raises for a line of known name whose fields fit no dialect."""
    name, count = fields[0], len(fields)
    if name in SHAPES:
        if count not in SHAPES[name]:
            raise Malformed("fields")
        return SHAPES[name][count]
    if name in PLAIN_SHAPES and count not in PLAIN_SHAPES[name]:
        raise Malformed("fields")
    if name == "COMBATANT_INFO" and not any(value[:1] in ("(", "[") for value in fields[2:]):
        raise Malformed("fields")
    return None


def _check_values(line: Line) -> None:
    """Raises when a number or a GUID that figures are made of is none."""
    fields = line.fields
    guids: list[str] = []
    numbers: list[str] = []
    if line.name in EVENTS or line.name == "SPELL_SUMMON":
        guids += [fields[1], fields[5]]
    if line.name in DAMAGE:
        numbers += line.suffix[:7]
        if not _FLAGS.match(fields[7]):
            raise Malformed("number")
    elif line.name in HEAL:
        numbers += line.suffix[:4]
    elif line.name == "SPELL_ABSORBED":
        guids.append(_absorb_caster(line)[0])
        numbers.append(_absorb_caster(line)[1])
    elif line.name == "COMBATANT_INFO":
        guids.append(fields[1])
        numbers.append(_combatant_spec(line))
    elif line.name == "ENCOUNTER_START":
        numbers += [fields[1], *fields[3:6]]
    elif line.name == "ENCOUNTER_END":
        numbers += [fields[1], *fields[3:7]]
    if line.advanced:
        guids += line.advanced[:2]
        numbers += line.advanced[2:4]
    if any(_GUID.match(value) is None for value in guids):
        raise Malformed("guid")
    if any(_NUMBER.match(value) is None for value in numbers):
        raise Malformed("number")


def _absorb_caster(line: Line) -> tuple[str, str]:
    """(GUID of who cast the shield, absorbed amount) of SPELL_ABSORBED in its melee or spell form."""
    melee = len(line.fields) in (18, 19)
    return (line.fields[9], line.fields[16]) if melee else (line.fields[12], line.fields[19])


def _combatant_spec(line: Line) -> str:
    at = next(i for i, value in enumerate(line.fields) if i > 1 and value[:1] in ("(", "["))
    return line.fields[at - 1]


def parse_line(number: int, text: str, year: int) -> Line:
    """The line, classified. Raises `Malformed` with the reason for quarantine."""
    if not text.strip():
        raise Malformed("empty")
    local, offset, rest = parse_timestamp(text, year)
    name = rest.partition(",")[0]
    if not _NAME.match(name):
        raise Malformed("subevent")
    if name == "EMOTE":  # its text is not quoted and holds anything
        return Line(number, local, offset, tuple(rest.split(",")), "context")
    fields = split_fields(rest)
    block = _check_shape(fields)
    kind = "event" if name in EVENTS else "context" if _is_context(name) else "ignored"
    if name == "UNIT_DIED" and (not fields[5].startswith("Player-") or fields[9:10] == ("1",)):
        kind = "context"
    line = Line(number, local, offset, fields, kind, block)
    if kind != "ignored" or block is not None:
        _check_values(line)
    return line


@dataclass
class Death:
    guid: str
    name: str
    at_ms: int
    killing_blow: dict[str, Any] | None


@dataclass
class Player:
    guid: str
    spec_id: int
    name: str | None = None
    figures: Counter[str] = field(default_factory=Counter)


@dataclass
class Encounter:
    encounter_id: int
    name: str
    difficulty_id: int
    group_size: int
    instance_id: int | None
    start: Line
    lines: list[Line] = field(default_factory=list)
    success: bool | None = None
    duration_ms: int | None = None
    players: dict[str, Player] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    conservation_error: float | None = None


@dataclass
class Reading:
    """All that one log says."""

    total: int
    pending_bytes: int
    lines: list[Line]
    quarantined: list[tuple[int, str]]
    dialect: str | None
    encounters: list[Encounter]
    owners: dict[str, str]

    @property
    def events(self) -> int:
        return sum(line.kind == "event" for line in self.lines)

    @property
    def context(self) -> int:
        return sum(line.kind == "context" for line in self.lines)

    @property
    def ignored(self) -> Counter[str]:
        return Counter(line.name for line in self.lines if line.kind == "ignored")

    def report(self) -> dict[str, Any]:
        """The object that `raid report --json` prints; players by GUID, deaths by time and GUID."""
        return {
            "log": {
                "total": self.total,
                "events": self.events,
                "context": self.context,
                "ignored": self.ignored.total(),
                "quarantined": len(self.quarantined),
                "dialect": self.dialect,
            },
            "encounters": [_encounter_report(encounter) for encounter in self.encounters],
        }


REPORT_KEYS = {
    "damage": "damage_amount_incl_pets",
    "healing": "heal_effective_incl_pets",
    "overhealing": "overheal_incl_pets",
    "absorbs": "absorb_granted",
    "damage_taken": "damage_taken_amount",
    "deaths": "deaths",
    "casts": "casts",
}
"""Name in the report → name in expected_facts.json."""


def _encounter_report(encounter: Encounter) -> dict[str, Any]:
    keys = ("encounter_id", "name", "difficulty_id", "group_size", "instance_id", "success", "duration_ms")
    return {
        **{key: getattr(encounter, key) for key in (*keys, "conservation_error")},
        "players": [
            {
                "guid": player.guid,
                "name": player.name,
                "class": spec_of(player.spec_id).class_name,
                "spec_id": player.spec_id,
                "role": spec_of(player.spec_id).role,
                **{short: player.figures[long] for short, long in REPORT_KEYS.items()},
            }
            for player in sorted(encounter.players.values(), key=lambda player: player.guid)
        ],
        "deaths": [
            vars(death) for death in sorted(encounter.deaths, key=lambda death: (death.at_ms, death.guid))
        ],
    }


def read(data: bytes, *, year: int = 2026) -> Reading:
    """Reads a whole log. `year` is that of the first line where timestamps have none."""
    *texts, tail = data.split(b"\n")
    lines: list[Line] = []
    quarantined: list[tuple[int, str]] = []
    for number, raw in enumerate(texts, 1):
        try:
            line = parse_line(number, raw.removesuffix(b"\r").decode(errors="surrogateescape"), year)
        except Malformed as reason:
            quarantined.append((number, str(reason)))
            continue
        if lines and line.offset_hours is None and lines[-1].local - line.local > timedelta(days=180):
            year += 1  # New Year's Eve in a log without years
            line = parse_line(number, raw.removesuffix(b"\r").decode(errors="surrogateescape"), year)
        lines.append(line)
    owners = _owners(lines)
    names = _names(lines)
    encounters = _encounters(lines)
    for encounter in encounters:
        _figures(encounter, owners, names)
    return Reading(len(texts), len(tail), lines, quarantined, _dialect(lines), encounters, owners)


def utc_ms(line: Line) -> int:
    """Milliseconds since 1970 in UTC; a time without offset is taken as UTC."""
    shifted = line.local - timedelta(hours=line.offset_hours or 0)
    return (shifted.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _dialect(lines: Iterable[Line]) -> str | None:
    """v9, v17, v20, v22 or mixed, from the lengths of the blocks; None when no line has one."""
    blocks: set[int] = set()
    version = "20"
    for line in lines:
        if line.block:
            blocks.add(line.block)
        if line.name == "COMBAT_LOG_VERSION":
            version = line.fields[1]
    if len(blocks) > 1:
        return "mixed"
    seventeen = "v17" if version.isdigit() and int(version) < 20 else "v20"
    return {16: "v9", 17: seventeen, 19: "v22"}[blocks.pop()] if blocks else None


def _owners(lines: Iterable[Line]) -> dict[str, str]:
    """Pet → player, links taken from the whole log."""
    links: dict[str, tuple[int, str]] = {}
    for line in lines:
        pet, owner = "", NOBODY
        if line.name == "SPELL_SUMMON":
            pet, owner = line.fields[5], line.fields[1]
        elif line.advanced:
            pet, owner = line.advanced[:2]
        if NOBODY in (owner, pet) or pet.startswith("Player-"):
            continue
        link = (utc_ms(line), owner)
        links[pet] = min(links.get(pet, link), link)
    owners = {}
    for pet in links:
        holder, seen = pet, {pet}
        while holder in links and not holder.startswith("Player-"):
            holder = links[holder][1]
            if holder in seen:
                break
            seen.add(holder)
        if holder.startswith("Player-"):
            owners[pet] = holder
    return owners


def _names(lines: Iterable[Line]) -> dict[str, str]:
    """Player GUID → the first name it has in the log."""
    names: dict[str, str] = {}
    for line in lines:
        if line.kind == "context" and line.name not in ("SPELL_SUMMON", "UNIT_DIED"):
            continue
        for at in (1, 5):
            if len(line.fields) > at + 1 and line.fields[at].startswith("Player-"):
                names.setdefault(line.fields[at], line.fields[at + 1])
    return names


def _encounters(lines: Iterable[Line]) -> list[Encounter]:
    """Pulls in log order, each with its lines. Era prints START twice; the repetition opens nothing."""
    encounters: list[Encounter] = []
    current: Encounter | None = None
    for line in lines:
        if line.name == "ENCOUNTER_START":
            twice = current is not None and current.encounter_id == int(line.fields[1])
            if current is None or not twice or line.local - current.start.local > timedelta(seconds=1):
                current = _open(line)
                encounters.append(current)
        if current is not None:
            current.lines.append(line)
            if line.name == "ENCOUNTER_END" and int(line.fields[1]) == current.encounter_id:
                current.success = line.fields[5] == "1"
                wall = (line.local - current.start.local) // timedelta(milliseconds=1)
                current.duration_ms = int(line.fields[6]) if len(line.fields) > 6 else wall
                current = None
    return encounters


def _open(line: Line) -> Encounter:
    number, name, difficulty, size = line.fields[1:5]
    instance = int(line.fields[5]) if len(line.fields) > 5 else None
    return Encounter(int(number), name, int(difficulty), int(size), instance, line)


def _figures(encounter: Encounter, owners: dict[str, str], names: dict[str, str]) -> None:
    """Fills players, deaths and conservation error from the pull's lines."""
    for line in encounter.lines:
        if line.name == "COMBATANT_INFO":
            guid = line.fields[1]
            encounter.players[guid] = Player(guid, int(_combatant_spec(line)), names.get(guid))
    for at, line in enumerate(encounter.lines):
        for guid, figures in _shares(line, owners):
            if guid in encounter.players:
                encounter.players[guid].figures.update(figures)
        if line.name == "UNIT_DIED" and line.kind == "event":
            at_ms = (line.local - encounter.start.local) // timedelta(milliseconds=1)
            blow = _killing_blow(encounter.lines[:at], line)
            encounter.deaths.append(Death(line.fields[5], line.fields[6], at_ms, blow))
    encounter.conservation_error = _conservation_error(encounter)


def _shares(line: Line, owners: dict[str, str]) -> list[tuple[str, dict[str, int]]]:
    """Who gets which figures from this line."""
    fields = line.fields
    source = fields[1] if len(fields) > 1 else NOBODY
    owner = owners.get(source, source)
    if line.name in DAMAGE_DONE:
        amount, _, overkill, _, _, _, absorbed = map(int, line.suffix[:7])
        done = {
            "damage_amount_incl_pets": amount,
            "damage_hits_incl_pets": 1,
            "crit_hits_incl_pets": int(line.suffix[7] == "1"),
            "overkill_incl_pets": max(overkill, 0),
            "damage_to_hostile_incl_pets": amount if int(fields[7], 16) & 0x40 else 0,
            "damage_amount_direct": amount if source == owner else 0,
        }
        return [
            (owner, done),
            (fields[5], {"damage_taken_amount": amount, "damage_taken_absorbed": absorbed}),
        ]
    if line.name in HEAL:
        amount, _, over = map(int, line.suffix[:3])
        healed = {
            "heal_raw_incl_pets": amount,
            "overheal_incl_pets": over,
            "heal_effective_incl_pets": amount - over,
            "heal_events_incl_pets": 1,
        }
        return [(owner, healed)]
    if line.name == "SPELL_ABSORBED":
        caster, absorbed_amount = _absorb_caster(line)
        return [(owners.get(caster, caster), {"absorb_granted": int(absorbed_amount)})]
    if line.name == "SPELL_CAST_SUCCESS":
        return [(source, {"casts": 1})]
    if line.name == "UNIT_DIED" and line.kind == "event":
        return [(fields[5], {"deaths": 1})]
    return []


def _killing_blow(before: Sequence[Line], death: Line) -> dict[str, Any] | None:
    for line in reversed(before):
        if death.local - line.local > timedelta(seconds=2):
            break
        if line.name not in DAMAGE or line.fields[5] != death.fields[5] or int(line.suffix[2]) < 0:
            continue
        if line.name == "ENVIRONMENTAL_DAMAGE" and line.advanced and line.advanced[2] != "0":
            continue
        source = None if line.fields[1] == NOBODY else line.fields[2]
        amount, overkill = int(line.suffix[0]), int(line.suffix[2])
        return {"source": source, "spell": line.spell, "amount": amount, "overkill": overkill}
    return None


def _conservation_error(encounter: Encounter) -> float | None:
    """(Σ(amount + absorbed) - (maxHP - last HP)) ÷ maxHP of the unit named like the encounter."""
    units: set[str] = set()
    health: dict[str, tuple[int, int]] = {}  # GUID → (greatest maxHP, last HP)
    for line in encounter.lines:
        if line.kind == "context":
            continue
        for at in (1, 5):
            if len(line.fields) > at + 1 and line.fields[at + 1] == encounter.name:
                units.add(line.fields[at])
        if line.block in (17, 19):  # the older block has health in percent
            guid, _, last, most = line.advanced[:4]
            health[guid] = (max(int(most), health.get(guid, (0, 0))[0]), int(last))
    known = [unit for unit in units if health.get(unit, (0, 0))[0] and not unit.startswith("Player-")]
    if not known:
        return None
    boss = min(known, key=lambda unit: (-health[unit][0], unit))
    total = 0
    for line in encounter.lines:
        if line.kind == "event" and line.fields[5] == boss:
            if line.name in DAMAGE:
                total += int(line.suffix[0]) + int(line.suffix[6])
            elif line.name in HEAL and int(line.suffix[0]) > int(line.suffix[2]):
                return None
    max_health, last_health = health[boss]
    return (total - (max_health - last_health)) / max_health
