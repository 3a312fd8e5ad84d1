"""Bytes of a log → lines with time, raid day and identity.

Timestamps (spec, first table): `M/D[/YYYY] HH:MM:SS.mmm[offset]`, two spaces, then the subevent. The digits
glued behind the milliseconds are the UTC offset in hours, not a finer fraction of the second.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gamelake.games.wow.kernels.text import (
    address,
    byte_marks,
    lowest_bit,
    murmur128,
    store_word,
    text_problem,
    word_at,
)

NO_TIME = -(2**62)
LINE_FEEDS = np.uint64(0x0A0A0A0A0A0A0A0A)

# columns of `state`, which carries a log from one chunk to the next
YEAR = 0  # year of the current line where lines name none
MONTH = 1  # month of the line before, 0 at the start
DAY = 2  # raid day (days since 1970) of the line before, NO_DAY at the start
FIGHT_DAY = 3  # raid day of the open encounter, NO_DAY outside
LAST = 4  # latest time seen in this stretch, ms
WINDOW = 5  # when the current generation of identities began, ms
COUNT_NEW = 6  # identities in the current generation
CURRENT = 7  # which of the two generations that is
YEARLESS = 8  # timestamps without / with a year
DATED = 9
STATE_SIZE = 10
NO_DAY = -(2**31)

HOUR = 3_600_000
DAY_MS = 24 * HOUR
RAID_DAY_START = 6 * HOUR  # a raid day begins at 06:00 local
STRETCH_GAP = (
    5_000  # time going back further than this begins a new stretch of the log (two logs in one file)
)


@njit(cache=True, nogil=True)
def days_from_civil(year, month, day):
    """Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant's algorithm)."""
    y = year - 1 if month <= 2 else year
    era = (y if y >= 0 else y - 399) // 400
    yoe = y - era * 400
    mp = (month + 9) % 12
    doy = (153 * mp + 2) // 5 + day - 1
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return era * 146097 + doe - 719468


@njit(cache=True, nogil=True)
def year_of(time):
    """UTC year of a time in ms."""
    year = 1970 + (time // DAY_MS) // 366
    while days_from_civil(year + 1, 1, 1) * DAY_MS <= time:
        year += 1
    return year


@njit(cache=True, nogil=True)
def _digits(data, start, end, longest):
    """(value, position behind) of a run of digits; position = start when there is none."""
    value = 0
    i = start
    while i < end and i - start < longest:
        c = np.int64(data[i]) - 48
        if c < 0 or c > 9:
            break
        value = value * 10 + c
        i += 1
    return value, i


@njit(cache=True, nogil=True)
def read_time(data, start, end, year, last_month, out):
    """Parse the timestamp of a line into `out`; False when there is none.

    out: 0 local ms, 1 offset in minutes (NO_TIME when unstated), 2 year, 3 month, 4 payload start, 5 has a year
    """
    month, i = _digits(data, start, end, 2)
    if i == start or i >= end or data[i] != 47:
        return False
    day, j = _digits(data, i + 1, end, 2)
    if j == i + 1 or j >= end:
        return False
    dated = data[j] == 47
    if dated:
        year, i = _digits(data, j + 1, end, 4)
        if i != j + 5:
            return False
        j = i
    if j >= end or data[j] != 32:
        return False
    hour, i = _digits(data, j + 1, end, 2)
    if i != j + 3 or i >= end or data[i] != 58:
        return False
    minute, j = _digits(data, i + 1, end, 2)
    if j != i + 3 or j >= end or data[j] != 58:
        return False
    second, i = _digits(data, j + 1, end, 2)
    if i != j + 3 or i >= end or data[i] != 46:
        return False
    milli, j = _digits(data, i + 1, end, 3)
    if j != i + 4:
        return False
    offset = NO_TIME
    if j < end and data[j] != 32:
        sign = 1
        if data[j] == 45 or data[j] == 43:
            sign = -1 if data[j] == 45 else 1
            j += 1
        hours, i = _digits(data, j, end, 2)
        if i == j:
            return False
        minutes = hours * 60
        if i < end and data[i] == 46:  # zones of half and quarter hours
            fraction, k = _digits(data, i + 1, end, 2)
            if k == i + 1:
                return False
            minutes += fraction * 6 if k == i + 2 else fraction * 60 // 100
            i = k
        if minutes > 14 * 60:
            return False
        offset = sign * minutes
        j = i
    if j + 2 >= end or data[j] != 32 or data[j + 1] != 32:
        return False
    if not dated and last_month > 0:  # a log without years crosses New Year forwards, or jitters back over it
        if last_month >= 11 and month <= 2:
            year += 1
        elif last_month <= 2 and month >= 11:
            year -= 1
    longest = 31
    if month == 4 or month == 6 or month == 9 or month == 11:
        longest = 30
    elif month == 2:
        leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        longest = 29 if leap or not dated else 28
    if month < 1 or month > 12 or day < 1 or day > longest or hour > 23 or minute > 59 or second > 60:
        return False
    if dated and (year < 2000 or year > 2199):
        return False
    out[0] = (
        days_from_civil(year, month, day) * DAY_MS + hour * HOUR + minute * 60_000 + second * 1000 + milli
    )
    out[1] = offset
    out[2] = year
    out[3] = month
    out[4] = j + 2
    out[5] = 1 if dated else 0
    return True


@njit(cache=True, nogil=True)
def begins_with(data, start, end, word):
    """True when the bytes at `start` are exactly `word`."""
    if end - start < word.size:
        return False
    for i in range(word.size):
        if data[start + i] != word[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def _slot(table, low, high):
    """Row of this identity, or the free row where it belongs."""
    mask = np.uint64(table.shape[0] - 1)
    at = low & mask
    while table[at, 2] != 0 and (table[at, 0] != low or table[at, 1] != high):
        at = (at + np.uint64(1)) & mask
    return at


@njit(cache=True, nogil=True)
def _count_identity(tables, state, low, high):
    """Which occurrence of this identical line the present one is, 1 for the first."""
    table = tables[state[CURRENT]]
    at = _slot(table, low, high)
    if table[at, 2] == 0:
        older = tables[1 - state[CURRENT]]
        table[at, 0] = low
        table[at, 1] = high
        table[at, 2] = older[_slot(older, low, high), 2]
        state[COUNT_NEW] += 1
    table[at, 2] += np.uint64(1)
    return np.int64(table[at, 2])


@njit(cache=True, nogil=True)
def _raid_day(data, payload, last, time, local, words, state):
    """Raid day of a line: its own, or inside an encounter the day on which the pull began."""
    day = (local - RAID_DAY_START) // DAY_MS
    if time < state[LAST] - STRETCH_GAP or time > state[LAST] + 12 * HOUR:
        state[FIGHT_DAY] = NO_DAY
    if data[payload] == 69:
        if begins_with(data, payload, last, words[0]):
            state[FIGHT_DAY] = day
        elif begins_with(data, payload, last, words[1]) and state[FIGHT_DAY] != NO_DAY:
            day = state[FIGHT_DAY]
            state[FIGHT_DAY] = NO_DAY
    return day if state[FIGHT_DAY] == NO_DAY else state[FIGHT_DAY]


@njit(cache=True, nogil=True)
def _turn_window(time, header, tables, state):
    """Forget identities that are too old to be met again, or all of them when a new stretch begins."""
    if header or time < state[LAST] - STRETCH_GAP:
        tables[:, :, 2] = 0
        state[COUNT_NEW] = 0
        state[LAST] = time
        state[WINDOW] = time
    elif time >= state[WINDOW] + STRETCH_GAP:
        other = 1 - state[CURRENT]
        tables[other, :, 2] = 0
        if time >= state[WINDOW] + 2 * STRETCH_GAP:
            tables[state[CURRENT], :, 2] = 0
        state[CURRENT] = other
        state[COUNT_NEW] = 0
        state[WINDOW] = time


@njit(cache=True, nogil=True)
def _line_feed(data, start, end):
    """Position of the next line feed, or `end`."""
    i = start
    while i + 8 <= end:
        marks = byte_marks(word_at(data, i), LINE_FEEDS)
        if marks != 0:
            return i + (lowest_bit(marks) >> 3)
        i += 8
    while i < end and data[i] != 10:
        i += 1
    return i


@njit(cache=True, nogil=True)
def split_lines(
    data,
    begin,
    end,
    zone_starts,
    zone_minutes,
    words,
    state,
    tables,
    starts,
    ends,
    times,
    days,
    occurrences,
    low,
    high,
):
    """Fill one row per terminated line from `begin`; returns (lines, position behind the last of them).

    Stops early when the output is full, or when the identities of the last seconds (`tables`, two generations of
    rows low, high, count) fill half their table and the caller must enlarge it. `words` are the bytes of
    ENCOUNTER_START, ENCOUNTER_END and COMBAT_LOG_VERSION.
    """
    clock = np.empty(6, np.int64)
    place = address(data)
    position = begin
    line = 0
    while line < starts.size and state[COUNT_NEW] * 2 < tables.shape[1]:
        stop = _line_feed(place, position, end)
        if stop >= end:
            break
        last = stop
        if last > position and data[last - 1] == 13:
            last -= 1
        starts[line] = position
        ends[line] = last
        time = NO_TIME
        seed = 0
        if read_time(place, position, last, state[YEAR], state[MONTH], address(clock)):
            state[MONTH] = clock[3]
            if clock[5] == 0:
                state[YEAR] = clock[2]
                state[YEARLESS] += 1
            else:
                state[DATED] += 1
            offset = clock[1]
            if offset == NO_TIME:
                known = zone_starts.size - 1
                while zone_starts[known] > clock[0]:
                    known -= 1
                offset = zone_minutes[known]
            time = clock[0] - offset * 60_000
            if clock[5] == 0:
                seed = year_of(time)  # identity is the line with its year resolved
            header = begins_with(place, clock[4], last, words[2])
            state[DAY] = _raid_day(place, clock[4], last, time, clock[0], words, state)
            _turn_window(time, header, tables, state)
            state[LAST] = max(time, state[LAST])
        times[line] = time
        days[line] = state[DAY]
        low[line], high[line] = murmur128(place, position, last, seed)
        occurrences[line] = _count_identity(tables, state, low[line], high[line])
        line += 1
        position = stop + 1
    return line, position


@njit(cache=True, nogil=True)
def identities(data, starts, ends, times, low, high):
    """Identity of lines that were split before (see `split_lines`); returns how many name their year."""
    place = address(data)
    dated = 0
    for line in range(starts.size):
        slashes = 0
        for i in range(starts[line], min(ends[line], starts[line] + 6)):
            if data[i] == 47:
                slashes += 1
        seed = 0
        if times[line] != NO_TIME:
            if slashes == 1:
                seed = year_of(times[line])
            else:
                dated += 1
        low[line], high[line] = murmur128(place, starts[line], ends[line], seed)
    return dated


@njit(cache=True, nogil=True)
def enlarge(table, bigger):
    """Move the identities of a full table into an empty, bigger one."""
    for row in range(table.shape[0]):
        if table[row, 2] != 0:
            at = _slot(bigger, table[row, 0], table[row, 1])
            bigger[at] = table[row]


@njit(cache=True, nogil=True)
def copy_lines(data, starts, ends, out, offsets):
    """Pack the chosen lines one behind the other, as Arrow wants its strings; `out` has eight bytes to spare."""
    place = address(data)
    target = address(out)
    at = 0
    offsets[0] = 0
    for line in range(starts.size):
        i = starts[line]
        length = ends[line] - i
        if ends[line] + 8 <= data.size:
            for j in range(0, length, 8):  # the last word may reach over the line; the next line mends that
                store_word(target, at + j, word_at(place, i + j))
        else:
            for j in range(length):
                target[at + j] = place[i + j]
        at += length
        offsets[line + 1] = at


@njit(cache=True, nogil=True)
def text_problems(data, starts, ends, out):
    """0 clean, 1 control character, 2 not UTF-8, for each line."""
    place = address(data)
    for line in range(starts.size):
        out[line] = text_problem(place, starts[line], ends[line])


@njit(cache=True, nogil=True)
def read_time_of(data, year, out):
    """`read_time` of a line that is alone in its array."""
    return read_time(address(data), 0, data.size, year, 0, address(out))


@njit(cache=True, nogil=True)
def number_stretches(times, memory, out):
    """Stretch of each line: one more whenever time goes back further than STRETCH_GAP.

    `memory` carries (stretch, latest time of it) from batch to batch.
    """
    for line in range(times.size):
        time = times[line]
        if time != NO_TIME:
            if time < memory[1] - STRETCH_GAP:
                memory[0] += 1
                memory[1] = time
            memory[1] = max(time, memory[1])
        out[line] = memory[0]
