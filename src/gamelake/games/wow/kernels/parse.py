"""Lines → categories, and one row of numbers and string codes per event line."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from gamelake.games.wow.kernels.fields import (
    Line,
    ability,
    area_mark,
    base_fields,
    block,
    damage_suffix,
    flag,
    is_player,
    is_unit,
    no_unit,
    number,
    quotes_close,
    split_fields,
    unquote,
)
from gamelake.games.wow.kernels.shapes import (
    C_ABILITY_NAME,
    C_ABSORBED,
    C_AMOUNT,
    C_CAUSE,
    C_CRITICAL,
    C_INFO,
    C_LINE,
    C_OVERHEAL,
    C_OVERKILL,
    C_POWER_TYPE,
    C_SCHOOL,
    C_SOURCE,
    C_SOURCE_FLAGS,
    C_SOURCE_NAME,
    C_SUBEVENT,
    C_TARGET,
    COLUMNS,
    CONTEXT,
    EVENT,
    IGNORED,
    IGNORED_UNREAD,
    K_ABSORBED,
    K_CONTEXT,
    K_DIED,
    K_ENERGIZE,
    K_ENVIRONMENTAL,
    K_FREE_TEXT,
    K_HEAL,
    K_IGNORE,
    K_LANDED,
    K_SPELL_DAMAGE,
    K_SUMMON,
    K_SWING_DAMAGE,
    LANDED,
    MAX_FIELDS,
    MEMO,
    NONE,
    PREFIX_WIDTH,
    QUARANTINED,
    R_CONTROL,
    R_FIELDS,
    R_NUMBER,
    R_QUOTES,
    R_SUBEVENT,
    R_TIME,
    R_UNIT,
    R_UTF8,
)
from gamelake.games.wow.kernels.split import NO_TIME
from gamelake.games.wow.kernels.text import (
    BAD,
    StringTable,
    address,
    intern,
    read_decimal,
    read_hex,
    text_problem,
)


class Rules(NamedTuple):
    """How known subevents are read, and the beginnings of those that are context."""

    known: Any
    kinds: Any
    prefixes: Any
    prefix: Any


@njit(cache=True, nogil=True)
def _absorbed(line, count, row, memo, table):
    """SPELL_ABSORBED: attacker, victim, [attacking spell], shield caster, shield spell, amount, total, critical."""
    if count < 17 or count > 22:
        return R_FIELDS
    melee = not (48 <= line.data[line.begins[9]] <= 57) or line.stops[9] - line.begins[9] == 16
    caster = 9 if melee else 12
    if count < caster + 8 or count > caster + 10:
        return R_FIELDS
    if not is_unit(line.data, line.begins[caster], line.stops[caster]):
        return R_UNIT
    flags = read_hex(line.data, line.begins[caster + 2], line.stops[caster + 2])
    if flags == BAD:
        return R_NUMBER
    row[C_CAUSE] = row[C_SOURCE]
    row[C_SOURCE] = NONE
    row[C_SOURCE_NAME] = NONE
    row[C_SOURCE_FLAGS] = flags
    if not no_unit(line.data, line.begins[caster], line.stops[caster]):
        row[C_SOURCE] = intern(line.data, line.begins[caster], line.stops[caster], table)
        unquote(line, caster + 1)
        row[C_SOURCE_NAME] = intern(line.data, line.begins[caster + 1], line.stops[caster + 1], table)
    reason = ability(line, caster + 4, row, memo, table)
    if reason == 0 and not number(line, caster + 7, row, C_AMOUNT, 0):
        reason = R_NUMBER
    if reason == 0 and count == caster + 10 and not flag(line, count - 1, row, C_CRITICAL):
        reason = R_NUMBER
    return reason


@njit(cache=True, nogil=True)
def _read_event(line, count, kind, row, power, memo, owners, table):
    """Fill the row of one event line; a reason of quarantine or 0."""
    if count < 9 or count > MAX_FIELDS:
        return R_FIELDS
    reason = base_fields(line, row, memo, owners, table)
    if reason != 0:
        return reason
    if kind == K_DIED:
        if count > 10:
            return R_FIELDS
        return 0 if count == 9 or flag(line, 9, row, C_AMOUNT) else R_NUMBER
    if kind == K_ABSORBED:
        return _absorbed(line, count, row, memo, table)
    at = 9
    swing = kind == K_SWING_DAMAGE or kind == K_LANDED
    if not swing and kind != K_ENVIRONMENTAL:
        if count < 12:
            return R_FIELDS
        reason = ability(line, 9, row, memo, table)
        if reason != 0:
            return reason
        at = 12
    behind = 0  # fields behind the advanced block
    if kind == K_SPELL_DAMAGE or swing:
        behind = 10 + area_mark(line, count)
    elif kind == K_ENVIRONMENTAL:
        behind = 11 + area_mark(line, count)
    elif kind == K_HEAL:
        behind = 5
    elif kind == K_ENERGIZE:
        behind = 4
    length = count - at - behind
    if length < 0:
        return R_FIELDS
    reason = block(line, at, length, row, owners, table)
    if reason != 0:
        return reason
    at += length
    if kind == K_ENVIRONMENTAL:
        row[C_ABILITY_NAME] = intern(line.data, line.begins[at], line.stops[at], table)
        at += 1
    if kind == K_SPELL_DAMAGE or swing or kind == K_ENVIRONMENTAL:
        if row[C_SCHOOL] == 0:
            school = read_hex(line.data, line.begins[at + 3], line.stops[at + 3])
            row[C_SCHOOL] = school if school > 0 else 0
        return damage_suffix(line, at, row)
    if kind == K_HEAL:
        good = (
            number(line, at + 1, row, C_AMOUNT, BAD + 1)  # the base amount: only its shape is looked at
            and number(line, at, row, C_AMOUNT, 0)
            and number(line, at + 2, row, C_OVERHEAL, 0)
            and number(line, at + 3, row, C_ABSORBED, 0)
            and flag(line, at + 4, row, C_CRITICAL)
        )
        return 0 if good else R_NUMBER
    if kind == K_ENERGIZE:
        power[0] = read_decimal(line.data, line.begins[at], line.stops[at])
        power[1] = read_decimal(line.data, line.begins[at + 1], line.stops[at + 1])
        if np.isnan(power[0]) or np.isnan(power[1]):
            return R_NUMBER
        good = number(line, at + 3, row, C_AMOUNT, BAD + 1)  # the maximum, likewise
        row[C_AMOUNT] = 0
        return 0 if good and number(line, at + 2, row, C_POWER_TYPE, -2) else R_NUMBER
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
    reason = base_fields(line, row, memo, owners, table)
    if (
        reason == 0
        and row[C_SOURCE] != NONE
        and row[C_TARGET] != NONE
        and owners[row[C_TARGET] * 3 + 1] == NONE
    ):
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
        if not quotes_close(line.data, stop, end):
            return QUARANTINED, R_QUOTES
        return (CONTEXT if kind == K_CONTEXT else IGNORED), code
    count = split_fields(line, payload, end)
    if count < 0:
        return QUARANTINED, R_QUOTES
    _clear(row, power, code)
    if kind == K_SUMMON:
        reason = _read_summon(line, count, row, memo, owners, table)
        return (CONTEXT, code) if reason == 0 else (QUARANTINED, reason)
    reason = _read_event(line, count, kind, row, power, memo, owners, table)
    if kind == K_LANDED:
        return (IGNORED if reason == 0 else IGNORED_UNREAD), code
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
    slots, arena, offsets, used, filled,
):  # fmt: skip
    """Category and name (or reason) of each line from `first`, and a column of `rows` per event or landed swing.

    `times` tells which lines have a timestamp. `owners[code]` receives the first owner seen (in an advanced block, by
    a summon) and the unit's name; `recorders[code]` counts event lines whose source is the player who keeps the log.
    The first `filled` places of `rows` and `amounts` are taken. Returns (next line, places filled); stops early before the string tables overflow.
    """
    begins = np.empty(MAX_FIELDS, np.int64)
    stops = np.empty(MAX_FIELDS, np.int64)
    memo = np.full(2 + MEMO, NONE, np.int64)
    row = np.empty(COLUMNS, np.int64)
    power = np.empty(2, np.float64)
    table = StringTable(
        address(slots), np.uint64(slots.size - 1), address(arena), address(offsets), address(used)
    )
    line = Line(address(data), address(begins), address(stops))
    rules = Rules(kinds.size, address(kinds), prefixes.shape[0], address(prefixes))
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
            if category == EVENT or (category == IGNORED and name == LANDED):
                if row[C_SOURCE] != NONE and row[C_SOURCE_FLAGS] & 0x50F == 0x501 and row[C_CAUSE] == NONE:
                    recorders[row[C_SOURCE]] += 1
                row[C_LINE] = at
                for column in range(COLUMNS):
                    rows[column, filled] = row[column]
                amounts[filled, 0] = power[0]
                amounts[filled, 1] = power[1]
                filled += 1
        categories[at] = IGNORED if category == IGNORED_UNREAD else category
        names[at] = name
        at += 1
    return at, filled
