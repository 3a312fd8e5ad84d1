"""A line's fields: where they begin and end, and what the common ones say.

Field positions are counted from the left up to the advanced block and from the right behind it, so every line
tells the length of its own block (spec, first table); the header's version is never needed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from gamelake.games.wow.kernels.shapes import (
    C_ABILITY,
    C_ABILITY_NAME,
    C_ABSORBED,
    C_AMOUNT,
    C_BLOCK,
    C_BLOCKED,
    C_CRITICAL,
    C_HP,
    C_INFO,
    C_MAX_HP,
    C_OVERKILL,
    C_RESISTED,
    C_SCHOOL,
    C_SOURCE,
    C_TARGET,
    LONGEST_BLOCK,
    MAX_FIELDS,
    MEMO,
    NONE,
    R_FIELDS,
    R_NUMBER,
    R_UNIT,
    SHORTEST_BLOCK,
)
from gamelake.games.wow.kernels.text import (
    BAD,
    COMMAS,
    NIL,
    QUOTES,
    byte_marks,
    intern,
    lowest_bit,
    read_hex,
    read_int,
    same_bytes,
    word_at,
)


class Line(NamedTuple):
    """Addresses of the bytes and of the fields' begins and ends of the present line."""

    data: Any
    begins: Any
    stops: Any


@njit(cache=True, nogil=True)
def split_fields(line, start, end):
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
def unquote(line, at):
    """Narrow a field to what stands between its quotes."""
    begin = line.begins[at]
    stop = line.stops[at]
    if stop - begin >= 2 and line.data[begin] == 34 and line.data[stop - 1] == 34:
        line.begins[at] = begin + 1
        line.stops[at] = stop - 1


@njit(cache=True, nogil=True)
def quotes_close(data, start, end):
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
def is_unit(data, start, end):
    """True for something shaped like a GUID: letters, digits and a dash, `nil`, or sixteen zeros."""
    if end <= start or end - start > 80:
        return False
    dashes = 0
    for i in range(start, end):
        c = np.int64(data[i])
        if c == 45:
            dashes += 1
        elif not (48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122):
            return False
    return dashes > 0 or no_unit(data, start, end)


@njit(cache=True, nogil=True)
def no_unit(data, start, end):
    """True for `nil` and the all-zero GUID."""
    if end - start == 3:
        return data[start] == 110 and data[start + 1] == 105 and data[start + 2] == 108
    for i in range(start, end):
        if data[i] != 48:
            return False
    return end - start == 16


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
    return table.offsets[code + 1] - start == length and same_bytes(
        line.data, begin, table.arena, start, length
    )


@njit(cache=True, nogil=True)
def base_fields(line, row, memo, owners, table):
    """Source and target: GUID, name, flags (fields 1 to 8); a reason of quarantine or 0."""
    for side in range(2):
        at = 1 + 4 * side
        column = C_SOURCE + 3 * side
        if not is_unit(line.data, line.begins[at], line.stops[at]):
            return R_UNIT
        flags = read_hex(line.data, line.begins[at + 2], line.stops[at + 2])
        if flags == BAD or read_hex(line.data, line.begins[at + 3], line.stops[at + 3]) == BAD:
            return R_NUMBER
        row[column + 2] = flags
        if no_unit(line.data, line.begins[at], line.stops[at]):
            row[column] = NONE
            row[column + 1] = NONE
        else:
            unit = memo[side]
            if not _known(line, at, unit, table):
                unit = intern(line.data, line.begins[at], line.stops[at], table)
                memo[side] = unit
            unquote(line, at + 1)
            name = owners[unit * 3 + 2]
            if not _known(line, at + 1, name, table):
                name = intern(line.data, line.begins[at + 1], line.stops[at + 1], table)
                owners[unit * 3 + 2] = name
            row[column] = unit
            row[column + 1] = name
    return 0


@njit(cache=True, nogil=True)
def ability(line, at, row, memo, table):
    """Spell id, name and school from field `at` on."""
    row[C_ABILITY] = read_int(line.data, line.begins[at], line.stops[at])
    row[C_SCHOOL] = read_hex(line.data, line.begins[at + 2], line.stops[at + 2])
    if row[C_ABILITY] < 0 or row[C_SCHOOL] == BAD:
        return R_NUMBER
    unquote(line, at + 1)
    place = 2 + (row[C_ABILITY] & (MEMO - 1))
    name = memo[place]
    if not _known(line, at + 1, name, table):
        name = intern(line.data, line.begins[at + 1], line.stops[at + 1], table)
        memo[place] = name
    row[C_ABILITY_NAME] = name
    return 0


@njit(cache=True, nogil=True)
def _has_point(data, start, end):
    for i in range(start, end):
        if data[i] == 46:
            return True
    return False


@njit(cache=True, nogil=True)
def block(line, at, length, row, owners, table):
    """Advanced block: unit it speaks of, that unit's owner, current and maximal health."""
    row[C_BLOCK] = length
    if length == 0:
        return 0
    if length < SHORTEST_BLOCK or length > LONGEST_BLOCK:
        return R_FIELDS
    # x, y and the facing are written with a point: a field lost or gained anywhere behind shows here
    for back in (5, 4, 2):
        if not _has_point(line.data, line.begins[at + length - back], line.stops[at + length - back]):
            return R_FIELDS
    if not is_unit(line.data, line.begins[at], line.stops[at]) or not is_unit(
        line.data, line.begins[at + 1], line.stops[at + 1]
    ):
        return R_UNIT
    if no_unit(line.data, line.begins[at], line.stops[at]):
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
    if not no_unit(line.data, line.begins[at + 1], line.stops[at + 1]):
        owner = intern(line.data, line.begins[at + 1], line.stops[at + 1], table)
        if owners[row[C_INFO] * 3 + 0] == NONE:
            owners[row[C_INFO] * 3 + 0] = owner
    return 0


@njit(cache=True, nogil=True)
def number(line, at, row, column, least):
    """Read an integer field into the row (`nil` as 0); False when it is none or below `least`."""
    value = read_int(line.data, line.begins[at], line.stops[at])
    if value == NIL:
        value = 0
    if value < least:
        return False
    row[column] = value
    return True


@njit(cache=True, nogil=True)
def flag(line, at, row, column):
    """Read `1` or `nil` (or 0) into the row; False for anything else."""
    value = read_int(line.data, line.begins[at], line.stops[at])
    if value != NIL and value != 0 and value != 1:
        return False
    row[column] = 1 if value == 1 else 0
    return True


@njit(cache=True, nogil=True)
def damage_suffix(line, at, row):
    """amount, base, overkill, school, resisted, blocked, absorbed, critical from field `at` on."""
    good = (
        number(line, at + 1, row, C_AMOUNT, BAD + 1)  # the base amount: only its shape is looked at
        and number(line, at, row, C_AMOUNT, 0)
        and number(line, at + 2, row, C_OVERKILL, -1)
        and number(line, at + 3, row, C_RESISTED, 0)  # the school, likewise
        and number(line, at + 4, row, C_RESISTED, BAD + 1)
        and number(line, at + 5, row, C_BLOCKED, BAD + 1)
        and number(line, at + 6, row, C_ABSORBED, 0)
        and flag(line, at + 9, row, C_CRITICAL)  # crushing and glancing, likewise
        and flag(line, at + 8, row, C_CRITICAL)
        and flag(line, at + 7, row, C_CRITICAL)
    )
    return 0 if good else R_NUMBER


@njit(cache=True, nogil=True)
def area_mark(line, count):
    """1 when the last field says AOE or ST (damage lines since v22), else 0."""
    start = line.begins[count - 1]
    length = line.stops[count - 1] - start
    if length == 3 and line.data[start] == 65 and line.data[start + 1] == 79 and line.data[start + 2] == 69:
        return 1
    if length == 2 and line.data[start] == 83 and line.data[start + 1] == 84:
        return 1
    return 0
