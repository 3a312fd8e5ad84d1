"""Lines → categories, and one row of numbers and string codes per event line.

Field positions are counted from the left up to the advanced block and from the right behind it, so every line
tells the length of its own block (spec, first table); the header's version is never needed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from gamelake.games.wow.kernels.split import NO_TIME
from gamelake.games.wow.kernels.text import (
    BAD,
    COMMAS,
    NIL,
    QUOTES,
    StringTable,
    address,
    byte_marks,
    intern,
    lowest_bit,
    read_decimal,
    read_hex,
    read_int,
    same_bytes,
    text_problem,
    word_at,
)

# categories
EVENT, CONTEXT, IGNORED, QUARANTINED = 0, 1, 2, 3

# reasons of quarantine, in the order in which they are looked for
REASONS = ("", "not_utf8", "control_character", "timestamp", "subevent", "quotes", "field_count", "unit", "number")
R_UTF8, R_CONTROL, R_TIME, R_SUBEVENT, R_QUOTES, R_FIELDS, R_UNIT, R_NUMBER = 1, 2, 3, 4, 5, 6, 7, 8

# how a subevent is read
K_IGNORE, K_CONTEXT, K_FREE_TEXT, K_SUMMON, K_DIED = 0, 1, 2, 3, 4
K_SPELL_DAMAGE, K_SWING_DAMAGE, K_ENVIRONMENTAL, K_HEAL, K_ABSORBED, K_CAST, K_ENERGIZE = 5, 6, 7, 8, 9, 10, 11

KNOWN: tuple[tuple[str, int], ...] = (
    ("SPELL_DAMAGE", K_SPELL_DAMAGE),
    ("SPELL_PERIODIC_DAMAGE", K_SPELL_DAMAGE),
    ("RANGE_DAMAGE", K_SPELL_DAMAGE),
    ("DAMAGE_SPLIT", K_SPELL_DAMAGE),
    ("SWING_DAMAGE", K_SWING_DAMAGE),
    ("ENVIRONMENTAL_DAMAGE", K_ENVIRONMENTAL),
    ("SPELL_HEAL", K_HEAL),
    ("SPELL_PERIODIC_HEAL", K_HEAL),
    ("SPELL_ABSORBED", K_ABSORBED),
    ("SPELL_CAST_SUCCESS", K_CAST),
    ("SPELL_ENERGIZE", K_ENERGIZE),
    ("SPELL_PERIODIC_ENERGIZE", K_ENERGIZE),
    ("UNIT_DIED", K_DIED),
    ("SPELL_SUMMON", K_SUMMON),
    ("EMOTE", K_FREE_TEXT),
    ("ENCOUNTER_START", K_CONTEXT),
    ("ENCOUNTER_END", K_CONTEXT),
    ("COMBATANT_INFO", K_CONTEXT),
    ("COMBAT_LOG_VERSION", K_CONTEXT),
    ("ZONE_CHANGE", K_CONTEXT),
    ("MAP_CHANGE", K_CONTEXT),
)
CONTEXT_PREFIXES = ("CHALLENGE_MODE_", "ARENA_", "WORLD_MARKER_")
KINDS = np.array([kind for _, kind in KNOWN], np.int64)
PREFIX_WIDTH = 1 + max(len(prefix) for prefix in CONTEXT_PREFIXES)
PREFIXES = np.array(  # one row each: length, bytes
    [[len(prefix), *prefix.encode().ljust(PREFIX_WIDTH - 1)] for prefix in CONTEXT_PREFIXES], np.int64
)

# columns of an event row
(
    C_LINE, C_SUBEVENT, C_SOURCE, C_SOURCE_NAME, C_SOURCE_FLAGS, C_TARGET, C_TARGET_NAME, C_TARGET_FLAGS,
    C_ABILITY, C_ABILITY_NAME, C_SCHOOL, C_INFO, C_HP, C_MAX_HP, C_AMOUNT, C_OVERKILL, C_RESISTED, C_BLOCKED,
    C_ABSORBED, C_OVERHEAL, C_CRITICAL, C_POWER_TYPE, C_CAUSE, C_BLOCK, COLUMNS,
) = range(25)  # fmt: skip
NONE = -1  # no such string

class Line(NamedTuple):
    """Addresses of the bytes and of the fields' begins and ends of the present line."""

    data: Any
    begins: Any
    stops: Any


class Rules(NamedTuple):
    """How known subevents are read, and the beginnings of those that are context."""

    known: Any
    kinds: Any
    prefixes: Any
    prefix: Any


MAX_FIELDS = 64
MEMO = 1024  # last code of an ability's name, by the low bits of its id


@njit(cache=True, nogil=True)
def _split_fields(line, start, end):
    """Number of fields of a payload, the first 64 recorded without their quotes; −1 when a quote stays open."""
    count = 0
    field = start
    quoted = False
    i = start
    while i < end:
        if i + 8 <= end:
            word = word_at(line.data, i)
            marks = byte_marks(word, COMMAS) | byte_marks(word, QUOTES)
            step = 8
        else:
            c = line.data[i]
            marks = np.uint64(0x80) if c == 44 or c == 34 else np.uint64(0)
            step = 1
        while marks != 0:
            at = i + (lowest_bit(marks) >> 3)
            marks &= marks - np.uint64(1)
            if line.data[at] == 34:
                quoted = not quoted
            elif not quoted:
                if count < MAX_FIELDS:
                    line.begins[count] = field
                    line.stops[count] = at
                count += 1
                field = at + 1
        i += step
    if quoted:
        return -1
    if count < MAX_FIELDS:
        line.begins[count] = field
        line.stops[count] = end
    return count + 1


@njit(cache=True, nogil=True)
def _unquote(line, at):
    """Narrow a field to what stands between its quotes."""
    begin = line.begins[at]
    stop = line.stops[at]
    if stop - begin >= 2 and line.data[begin] == 34 and line.data[stop - 1] == 34:
        line.begins[at] = begin + 1
        line.stops[at] = stop - 1


@njit(cache=True, nogil=True)
def _quotes_close(data, start, end):
    """True when the number of quotes is even."""
    odd = False
    i = start
    while i + 8 <= end:
        marks = byte_marks(word_at(data, i), QUOTES)
        while marks != 0:
            odd = not odd
            marks &= marks - np.uint64(1)
        i += 8
    while i < end:
        if data[i] == 34:
            odd = not odd
        i += 1
    return not odd


@njit(cache=True, nogil=True)
def _is_unit(data, start, end):
    """True for something shaped like a GUID: letters, digits and dashes, `nil`, or sixteen zeros."""
    if end <= start or end - start > 80:
        return False
    for i in range(start, end):
        c = np.int64(data[i])
        if not (48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c == 45):
            return False
    return True


@njit(cache=True, nogil=True)
def _no_unit(data, start, end):
    """True for `nil` and the all-zero GUID."""
    if end - start == 3:
        return data[start] == 110
    for i in range(start, end):
        if data[i] != 48:
            return False
    return True


@njit(cache=True, nogil=True)
def is_player(data, start, end):
    """True for `Player-…`."""
    return end - start > 7 and data[start] == 80 and data[start + 1] == 108 and data[start + 6] == 45


@njit(cache=True, nogil=True)
def _known(line, at, code, table):
    """True when the field is the string of this code: spares the look-up where a line repeats its neighbour."""
    if code < 0:
        return False
    start = table.offsets[code]
    begin = line.begins[at]
    length = line.stops[at] - begin
    return table.offsets[code + 1] - start == length and same_bytes(line.data, begin, table.arena, start, length)


@njit(cache=True, nogil=True)
def _base_fields(line, row, memo, owners, table):
    """Source and target: GUID, name, flags (fields 1 to 8); a reason of quarantine or 0."""
    for side in range(2):
        at = 1 + 4 * side
        column = C_SOURCE + 3 * side
        if not _is_unit(line.data, line.begins[at], line.stops[at]):
            return R_UNIT
        flags = read_hex(line.data, line.begins[at + 2], line.stops[at + 2])
        if flags == BAD or read_hex(line.data, line.begins[at + 3], line.stops[at + 3]) == BAD:
            return R_NUMBER
        row[column + 2] = flags
        if _no_unit(line.data, line.begins[at], line.stops[at]):
            row[column] = NONE
            row[column + 1] = NONE
        else:
            unit = memo[side]
            if not _known(line, at, unit, table):
                unit = intern(line.data, line.begins[at], line.stops[at], table)
                memo[side] = unit
            _unquote(line, at + 1)
            name = owners[unit * 3 + 2]
            if not _known(line, at + 1, name, table):
                name = intern(line.data, line.begins[at + 1], line.stops[at + 1], table)
                owners[unit * 3 + 2] = name
            row[column] = unit
            row[column + 1] = name
    return 0


@njit(cache=True, nogil=True)
def _ability(line, at, row, memo, table):
    """Spell id, name and school from field `at` on."""
    row[C_ABILITY] = read_int(line.data, line.begins[at], line.stops[at])
    row[C_SCHOOL] = read_hex(line.data, line.begins[at + 2], line.stops[at + 2])
    if row[C_ABILITY] < 0 or row[C_SCHOOL] == BAD:
        return R_NUMBER
    _unquote(line, at + 1)
    place = 2 + (row[C_ABILITY] & (MEMO - 1))
    name = memo[place]
    if not _known(line, at + 1, name, table):
        name = intern(line.data, line.begins[at + 1], line.stops[at + 1], table)
        memo[place] = name
    row[C_ABILITY_NAME] = name
    return 0


@njit(cache=True, nogil=True)
def _block(line, at, length, row, owners, table):
    """Advanced block: unit it speaks of, that unit's owner, current and maximal health."""
    row[C_BLOCK] = length
    if length == 0:
        return 0
    if length < 4 or length > 30:
        return R_FIELDS
    if not _is_unit(line.data, line.begins[at], line.stops[at]) or not _is_unit(line.data, line.begins[at + 1], line.stops[at + 1]):
        return R_UNIT
    if _no_unit(line.data, line.begins[at], line.stops[at]):
        return 0
    row[C_HP] = read_int(line.data, line.begins[at + 2], line.stops[at + 2])
    row[C_MAX_HP] = read_int(line.data, line.begins[at + 3], line.stops[at + 3])
    if row[C_HP] < 0 or row[C_MAX_HP] < 0:
        return R_NUMBER
    unit = row[C_TARGET]
    if not _known(line, at, unit, table):
        unit = row[C_SOURCE]
        if not _known(line, at, unit, table):
            unit = intern(line.data, line.begins[at], line.stops[at], table)
    row[C_INFO] = unit
    if not _no_unit(line.data, line.begins[at + 1], line.stops[at + 1]):
        owner = intern(line.data, line.begins[at + 1], line.stops[at + 1], table)
        if owners[row[C_INFO] * 3 + 0] == NONE:
            owners[row[C_INFO] * 3 + 0] = owner
    return 0


@njit(cache=True, nogil=True)
def _number(line, at, row, column, least):
    """Read an integer field into the row (`nil` as 0); False when it is none or below `least`."""
    value = read_int(line.data, line.begins[at], line.stops[at])
    if value == NIL:
        value = 0
    if value < least:
        return False
    row[column] = value
    return True


@njit(cache=True, nogil=True)
def _flag(line, at, row, column):
    """Read `1` or `nil` (or 0) into the row; False for anything else."""
    value = read_int(line.data, line.begins[at], line.stops[at])
    if value != NIL and value != 0 and value != 1:
        return False
    row[column] = 1 if value == 1 else 0
    return True


@njit(cache=True, nogil=True)
def _damage_suffix(line, at, row):
    """amount, base, overkill, school, resisted, blocked, absorbed, critical from field `at` on."""
    good = (
        _number(line, at, row, C_AMOUNT, 0)
        and _number(line, at + 2, row, C_OVERKILL, -1)
        and _number(line, at + 4, row, C_RESISTED, BAD + 1)
        and _number(line, at + 5, row, C_BLOCKED, BAD + 1)
        and _number(line, at + 6, row, C_ABSORBED, 0)
        and _flag(line, at + 7, row, C_CRITICAL)
    )
    return 0 if good else R_NUMBER


@njit(cache=True, nogil=True)
def _area_mark(line, count):
    """1 when the last field says AOE or ST (damage lines since v22), else 0."""
    start = line.begins[count - 1]
    length = line.stops[count - 1] - start
    if length == 3 and line.data[start] == 65 and line.data[start + 1] == 79 and line.data[start + 2] == 69:
        return 1
    if length == 2 and line.data[start] == 83 and line.data[start + 1] == 84:
        return 1
    return 0


@njit(cache=True, nogil=True)
def _absorbed(line, count, row, memo, table):
    """SPELL_ABSORBED: attacker, victim, [attacking spell], shield caster, shield spell, amount, total, critical."""
    if count < 17 or count > 22:
        return R_FIELDS
    melee = not (48 <= line.data[line.begins[9]] <= 57) or line.stops[9] - line.begins[9] == 16
    caster = 9 if melee else 12
    if count < caster + 8 or count > caster + 10:
        return R_FIELDS
    if not _is_unit(line.data, line.begins[caster], line.stops[caster]):
        return R_UNIT
    flags = read_hex(line.data, line.begins[caster + 2], line.stops[caster + 2])
    if flags == BAD:
        return R_NUMBER
    row[C_CAUSE] = row[C_SOURCE]
    row[C_SOURCE] = NONE
    row[C_SOURCE_NAME] = NONE
    row[C_SOURCE_FLAGS] = flags
    if not _no_unit(line.data, line.begins[caster], line.stops[caster]):
        row[C_SOURCE] = intern(line.data, line.begins[caster], line.stops[caster], table)
        _unquote(line, caster + 1)
        row[C_SOURCE_NAME] = intern(line.data, line.begins[caster + 1], line.stops[caster + 1], table)
    reason = _ability(line, caster + 4, row, memo, table)
    if reason == 0 and not _number(line, caster + 7, row, C_AMOUNT, 0):
        reason = R_NUMBER
    if reason == 0 and count == caster + 10 and not _flag(line, count - 1, row, C_CRITICAL):
        reason = R_NUMBER
    return reason


@njit(cache=True, nogil=True)
def _read_event(line, count, kind, row, power, memo, owners, table):
    """Fill the row of one event line; a reason of quarantine or 0."""
    if count < 9 or count > MAX_FIELDS:
        return R_FIELDS
    reason = _base_fields(line, row, memo, owners, table)
    if reason != 0:
        return reason
    if kind == K_DIED:
        if count > 10:
            return R_FIELDS
        return 0 if count == 9 or _flag(line, 9, row, C_AMOUNT) else R_NUMBER
    if kind == K_ABSORBED:
        return _absorbed(line, count, row, memo, table)
    at = 9
    if kind != K_SWING_DAMAGE and kind != K_ENVIRONMENTAL:
        if count < 12:
            return R_FIELDS
        reason = _ability(line, 9, row, memo, table)
        if reason != 0:
            return reason
        at = 12
    behind = 0  # fields behind the advanced block
    if kind == K_SPELL_DAMAGE or kind == K_SWING_DAMAGE:
        behind = 10 + _area_mark(line, count)
    elif kind == K_ENVIRONMENTAL:
        behind = 11 + _area_mark(line, count)
    elif kind == K_HEAL:
        behind = 5
    elif kind == K_ENERGIZE:
        behind = 4
    length = count - at - behind
    if length < 0:
        return R_FIELDS
    reason = _block(line, at, length, row, owners, table)
    if reason != 0:
        return reason
    at += length
    if kind == K_ENVIRONMENTAL:
        row[C_ABILITY_NAME] = intern(line.data, line.begins[at], line.stops[at], table)
        at += 1
    if kind == K_SPELL_DAMAGE or kind == K_SWING_DAMAGE or kind == K_ENVIRONMENTAL:
        if row[C_SCHOOL] == 0:
            school = read_hex(line.data, line.begins[at + 3], line.stops[at + 3])
            row[C_SCHOOL] = school if school > 0 else 0
        return _damage_suffix(line, at, row)
    if kind == K_HEAL:
        good = (
            _number(line, at, row, C_AMOUNT, 0)
            and _number(line, at + 2, row, C_OVERHEAL, 0)
            and _number(line, at + 3, row, C_ABSORBED, 0)
            and _flag(line, at + 4, row, C_CRITICAL)
        )
        return 0 if good else R_NUMBER
    if kind == K_ENERGIZE:
        power[0] = read_decimal(line.data, line.begins[at], line.stops[at])
        power[1] = read_decimal(line.data, line.begins[at + 1], line.stops[at + 1])
        if np.isnan(power[0]) or np.isnan(power[1]):
            return R_NUMBER
        return 0 if _number(line, at + 2, row, C_POWER_TYPE, -2) else R_NUMBER
    return 0


@njit(cache=True, nogil=True)
def _kind_of(data, start, end, rules, table):
    """(code of the subevent's name, how to read it)."""
    code = intern(data, start, end, table)
    if code < rules.known:
        return code, rules.kinds[code]
    for p in range(rules.prefixes):
        at = p * PREFIX_WIDTH
        length = rules.prefix[at]
        same = end - start >= length
        for i in range(length):
            if not same or data[start + i] != rules.prefix[at + 1 + i]:
                same = False
                break
        if same:
            return code, K_CONTEXT
    return code, K_IGNORE


@njit(cache=True, nogil=True)
def _name_end(data, start, end):
    """End of the subevent's name, or −1 when it is not capital letters, digits and underscores."""
    i = start
    while i < end and data[i] != 44:
        c = np.int64(data[i])
        if not (65 <= c <= 90 or c == 95 or (48 <= c <= 57 and i > start)):
            return -1
        i += 1
    return i if start < i <= start + 48 else -1


@njit(cache=True, nogil=True)
def _read_summon(line, count, row, memo, owners, table):
    """Summon line: the new unit belongs to its summoner. A reason of quarantine or 0."""
    if count < 9:
        return R_FIELDS
    reason = _base_fields(line, row, memo, owners, table)
    if reason == 0 and row[C_SOURCE] != NONE and row[C_TARGET] != NONE and owners[row[C_TARGET] * 3 + 1] == NONE:
        owners[row[C_TARGET] * 3 + 1] = row[C_SOURCE]
    return reason


@njit(cache=True, nogil=True)
def _clear(row, power, code):
    """An event row in which nothing is known yet."""
    for column in range(COLUMNS):
        row[column] = 0
    row[C_SUBEVENT] = code
    row[C_ABILITY_NAME] = NONE
    row[C_INFO] = NONE
    row[C_CAUSE] = NONE
    row[C_OVERKILL] = -1
    row[C_POWER_TYPE] = -1
    power[0] = 0.0
    power[1] = 0.0


@njit(cache=True, nogil=True)
def _read_line(line, start, end, rules, row, power, memo, owners, table):
    """(category, code of the subevent or reason of quarantine); an event's row is filled."""
    payload = start + 13  # the shortest timestamp is `1/1 00:00:00.000`
    while line.data[payload] != 32 or line.data[payload + 1] != 32:
        payload += 1
    payload += 2
    stop = _name_end(line.data, payload, end)
    if stop < 0:
        return QUARANTINED, R_SUBEVENT
    code, kind = _kind_of(line.data, payload, stop, rules, table)
    if kind == K_FREE_TEXT:
        return CONTEXT, code
    if kind == K_IGNORE or kind == K_CONTEXT:
        if not _quotes_close(line.data, stop, end):
            return QUARANTINED, R_QUOTES
        return (CONTEXT if kind == K_CONTEXT else IGNORED), code
    count = _split_fields(line, payload, end)
    if count < 0:
        return QUARANTINED, R_QUOTES
    _clear(row, power, code)
    if kind == K_SUMMON:
        reason = _read_summon(line, count, row, memo, owners, table)
        return (CONTEXT, code) if reason == 0 else (QUARANTINED, reason)
    reason = _read_event(line, count, kind, row, power, memo, owners, table)
    if reason != 0:
        return QUARANTINED, reason
    if kind == K_DIED and not (
        row[C_TARGET] != NONE and is_player(line.data, line.begins[5], line.stops[5]) and row[C_AMOUNT] == 0
    ):
        return CONTEXT, code  # a creature's death, or a player who only lies down
    return EVENT, code


@njit(cache=True, nogil=True)
def parse_lines(
    data, starts, ends, times, first, kinds, prefixes, categories, names, rows, amounts, owners, recorders,
    slots, arena, offsets, used,
):  # fmt: skip
    """Category and name (or reason) of each line from `first`, and a row per event.

    `times` tells which lines have a timestamp. `owners[code]` receives the first owner seen (in an advanced block, by
    a summon) and the unit's name; `recorders[code]` counts event lines whose source is the player who keeps the log.
    Returns (next line, rows filled); stops early before the string tables overflow.
    """
    begins = np.empty(MAX_FIELDS, np.int64)
    stops = np.empty(MAX_FIELDS, np.int64)
    memo = np.full(2 + MEMO, NONE, np.int64)
    row = np.empty(COLUMNS, np.int64)
    power = np.empty(2, np.float64)
    table = StringTable(address(slots), np.uint64(slots.size - 1), address(arena), address(offsets), address(used))
    line = Line(address(data), address(begins), address(stops))
    rules = Rules(kinds.size, address(kinds), prefixes.shape[0], address(prefixes))
    filled = 0
    at = first
    while at < starts.size:
        start = starts[at]
        end = ends[at]
        if (used[0] + 16) * 2 >= slots.size or offsets[used[0]] + (end - start) + 16 >= arena.size:
            break
        category = QUARANTINED
        problem = text_problem(line.data, start, end)
        if problem != 0:
            name = R_UTF8 if problem == 2 else R_CONTROL
        elif times[at] == NO_TIME:
            name = R_TIME
        else:
            category, name = _read_line(
                line, start, end, rules, address(row), address(power), address(memo), address(owners), table
            )
            if category == EVENT:
                if row[C_SOURCE] != NONE and row[C_SOURCE_FLAGS] & 0x50F == 0x501 and row[C_CAUSE] == NONE:
                    recorders[row[C_SOURCE]] += 1
                row[C_LINE] = at
                for column in range(COLUMNS):
                    rows[filled, column] = row[column]
                amounts[filled, 0] = power[0]
                amounts[filled, 1] = power[1]
                filled += 1
        categories[at] = category
        names[at] = name
        at += 1
    return at, filled
