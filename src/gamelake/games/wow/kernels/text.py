"""Byte-level helpers: numbers, UTF-8, hashes and interned strings.

All indices are non-negative and checked by the callers' loop bounds; nothing here allocates per line.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

NIL = -(2**62)  # what the integer readers return for `nil`
BAD = -(2**62) - 1  # … and for anything that is not a number
MAX_DIGITS = 17

COMMAS = np.uint64(0x2C2C2C2C2C2C2C2C)
QUOTES = np.uint64(0x2222222222222222)
_LOW7 = np.uint64(0x7F7F7F7F7F7F7F7F)
_C1 = np.uint64(0x87C37B91114253D5)
_C2 = np.uint64(0x4CF5AD432745937F)


@njit(cache=True, nogil=True)
def read_int(data, start, end):
    """Decimal integer with an optional minus; NIL for `nil`, BAD for anything else."""
    length = end - start
    if length == 3 and data[start] == 110 and data[start + 1] == 105 and data[start + 2] == 108:
        return NIL
    i = start
    negative = False
    if length > 0 and data[i] == 45:
        negative = True
        i += 1
    if i >= end or end - i > MAX_DIGITS:
        return BAD
    value = 0
    while i < end:
        digit = np.int64(data[i]) - 48
        if digit < 0 or digit > 9:
            return BAD
        value = value * 10 + digit
        i += 1
    return -value if negative else value


@njit(cache=True, nogil=True)
def read_hex(data, start, end):
    """Flags such as `0x10a48` (or plain decimal); BAD for anything else."""
    if end - start > 2 and data[start] == 48 and (data[start + 1] | 32) == 120:
        if end - start > 2 + 8:
            return BAD
        value = 0
        for i in range(start + 2, end):
            c = np.int64(data[i])
            if 48 <= c <= 57:
                digit = c - 48
            elif 97 <= (c | 32) <= 102:
                digit = (c | 32) - 87
            else:
                return BAD
            value = value * 16 + digit
        return value
    value = read_int(data, start, end)
    return BAD if value < 0 else value


@njit(cache=True, nogil=True)
def read_decimal(data, start, end):
    """Decimal number with an optional fraction (`4.0000`); NaN when it is not one."""
    i = start
    negative = False
    if i < end and data[i] == 45:
        negative = True
        i += 1
    if i >= end or end - i > 24:
        return np.nan
    value = 0.0
    digits = 0
    while i < end and 48 <= data[i] <= 57:
        value = value * 10.0 + (data[i] - 48)
        digits += 1
        i += 1
    if i < end and data[i] == 46:
        i += 1
        scale = 1.0
        while i < end and 48 <= data[i] <= 57:
            value = value * 10.0 + (data[i] - 48)
            scale *= 10.0
            digits += 1
            i += 1
        value /= scale
    if i != end or digits == 0:
        return np.nan
    return -value if negative else value


class StringTable(NamedTuple):
    """Distinct strings seen so far. All members but `mask` are addresses.

    `slots[hash & mask]` holds code + 1 (0 = free), at most half of them taken; `arena` and `offsets` hold the bytes;
    `used[0]` counts the strings.
    """

    slots: Any
    mask: Any
    arena: Any
    offsets: Any
    used: Any


if config.DISABLE_JIT:  # the same loops as plain Python, where numpy checks every index

    def address(array):
        """The array's numbers one behind the other, sharing its memory."""
        return array.reshape(-1)

    def word_at(data, index):
        """Eight bytes from `index` on as one little-endian word."""
        return np.uint64(int.from_bytes(data[index : index + 8].tobytes(), "little"))

    def store_word(data, index, word):
        """Write a little-endian word into the eight bytes from `index` on."""
        data[index : index + 8] = np.frombuffer(int(word).to_bytes(8, "little"), np.uint8)

    def lowest_bit(word):
        """Position of the lowest set bit of a word that is not zero."""
        return (int(word) & -int(word)).bit_length() - 1

else:

    @intrinsic
    def address(_context, array):
        """Where the array's numbers lie. Arrays handed to a helper cost atomic reference counts; addresses do not."""

        def build(context, builder, signature, arguments):
            return context.make_array(signature.args[0])(context, builder, arguments[0]).data

        return types.CPointer(array.dtype)(array), build

    @intrinsic
    def word_at(_context, data, index):  # noqa: ARG001 - the type of the index
        """Eight bytes from `index` on as one little-endian word; the caller guarantees they are there."""

        def build(_context, builder, _signature, arguments):
            place = builder.gep(arguments[0], [arguments[1]])
            word = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
            word.align = 1
            return word

        return types.uint64(data, types.int64), build

    @intrinsic
    def store_word(_context, data, index, word):  # noqa: ARG001 - the types of index and word
        """Write a little-endian word into the eight bytes from `index` on; the caller guarantees they are there."""

        def build(_context, builder, _signature, arguments):
            place = builder.gep(arguments[0], [arguments[1]])
            store = builder.store(arguments[2], builder.bitcast(place, ir.IntType(64).as_pointer()))
            store.align = 1
            return _context.get_dummy_value()

        return types.void(data, types.int64, types.uint64), build

    @intrinsic
    def lowest_bit(_context, word):  # noqa: ARG001 - the type of the word
        """Position of the lowest set bit of a word that is not zero."""

        def build(_context, builder, _signature, arguments):
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), build


@njit(cache=True, nogil=True)
def byte_marks(word, repeated):
    """Word whose bytes have their top bit set exactly where `word` equals the byte that `repeated` repeats."""
    x = word ^ repeated
    return ~(((x & _LOW7) + _LOW7) | x | _LOW7)


@njit(cache=True, nogil=True)
def same_bytes(data, start, other, begin, length):
    """True when `length` bytes agree."""
    i = 0
    while i + 8 <= length:
        if word_at(data, start + i) != word_at(other, begin + i):
            return False
        i += 8
    while i < length:
        if data[start + i] != other[begin + i]:
            return False
        i += 1
    return True


@njit(cache=True, nogil=True)
def text_problem(data, start, end):
    """0 for clean text, 1 for a control character, 2 for bytes that are not UTF-8 (RFC 3629)."""
    i = start
    high = np.uint64(0x8080808080808080)
    while i < end:
        while i + 8 <= end:
            word = word_at(data, i)
            # any byte below 0x20 borrows into its top bit; exact once no top bit is set in the word
            low = (word - np.uint64(0x2020202020202020)) & high
            if (word & high) != 0 or low != 0:
                break
            i += 8
        if i >= end:
            break
        c = np.int64(data[i])
        if c < 0x20:
            if c != 9:
                return 1
            i += 1
        elif c < 0x80:
            i += 1
        elif 0xC2 <= c <= 0xDF:
            if i + 1 >= end or data[i + 1] & 0xC0 != 0x80:
                return 2
            i += 2
        elif 0xE0 <= c <= 0xEF:
            if i + 2 >= end or data[i + 1] & 0xC0 != 0x80 or data[i + 2] & 0xC0 != 0x80:
                return 2
            second = np.int64(data[i + 1])
            if (c == 0xE0 and second < 0xA0) or (c == 0xED and second > 0x9F):
                return 2
            i += 3
        elif 0xF0 <= c <= 0xF4:
            if (
                i + 3 >= end
                or data[i + 1] & 0xC0 != 0x80
                or data[i + 2] & 0xC0 != 0x80
                or data[i + 3] & 0xC0 != 0x80
            ):
                return 2
            second = np.int64(data[i + 1])
            if (c == 0xF0 and second < 0x90) or (c == 0xF4 and second > 0x8F):
                return 2
            i += 4
        else:
            return 2
    return 0


@njit(cache=True, nogil=True)
def _rotate(x, r):
    return (x << np.uint64(r)) | (x >> np.uint64(64 - r))


@njit(cache=True, nogil=True)
def _final(k):
    k ^= k >> np.uint64(33)
    k *= np.uint64(0xFF51AFD7ED558CCD)
    k ^= k >> np.uint64(33)
    k *= np.uint64(0xC4CEB9FE1A85EC53)
    k ^= k >> np.uint64(33)
    return k


@njit(cache=True, nogil=True)
def murmur128(data, start, end, seed):
    """MurmurHash3 x64 128 (Appleby, public domain): (low, high) of the bytes."""
    h1 = np.uint64(seed)
    h2 = np.uint64(seed)
    length = end - start
    i = start
    while i + 16 <= end:
        k1 = word_at(data, i) * _C1
        h1 ^= _rotate(k1, 31) * _C2
        h1 = (_rotate(h1, 27) + h2) * np.uint64(5) + np.uint64(0x52DCE729)
        k2 = word_at(data, i + 8) * _C2
        h2 ^= _rotate(k2, 33) * _C1
        h2 = (_rotate(h2, 31) + h1) * np.uint64(5) + np.uint64(0x38495AB5)
        i += 16
    k1 = np.uint64(0)
    k2 = np.uint64(0)
    for j in range(i, end):
        at = j - i
        if at < 8:
            k1 |= np.uint64(data[j]) << np.uint64(8 * at)
        else:
            k2 |= np.uint64(data[j]) << np.uint64(8 * (at - 8))
    if end - i > 8:
        h2 ^= _rotate(k2 * _C2, 33) * _C1
    if end - i > 0:
        h1 ^= _rotate(k1 * _C1, 31) * _C2
    h1 ^= np.uint64(length)
    h2 ^= np.uint64(length)
    h1 += h2
    h2 += h1
    h1 = _final(h1)
    h2 = _final(h2)
    h1 += h2
    h2 += h1
    return h1, h2


@njit(cache=True, nogil=True)
def _string_hash(data, start, end):
    h = np.uint64(end - start) * np.uint64(0x9E3779B97F4A7C15)
    i = start
    while i + 8 <= end:
        h = _rotate(h ^ word_at(data, i), 29) * np.uint64(0x9FB21C651E98DF25)
        i += 8
    tail = np.uint64(0)
    for j in range(i, end):
        tail = (tail << np.uint64(8)) | np.uint64(data[j])
    h = _rotate(h ^ tail, 29) * np.uint64(0x9FB21C651E98DF25)
    return h ^ (h >> np.uint64(32))


@njit(cache=True, nogil=True)
def intern(data, start, end, table):
    """Code of the string, adding it when new. The caller guarantees room."""
    at = _string_hash(data, start, end) & table.mask
    length = end - start
    while True:
        code = table.slots[at] - 1
        if code < 0:
            break
        begin = table.offsets[code]
        if table.offsets[code + 1] - begin == length and same_bytes(data, start, table.arena, begin, length):
            return code
        at = (at + np.uint64(1)) & table.mask
    code = table.used[0]
    begin = table.offsets[code]
    for j in range(length):
        table.arena[begin + j] = data[start + j]
    table.offsets[code + 1] = begin + length
    table.slots[at] = code + 1
    table.used[0] = code + 1
    return code


@njit(cache=True, nogil=True)
def intern_one(data, slots, arena, offsets, used):
    """Code of the whole of `data`."""
    table = StringTable(
        address(slots), np.uint64(slots.size - 1), address(arena), address(offsets), address(used)
    )
    return intern(address(data), 0, data.size, table)


@njit(cache=True, nogil=True)
def rehash(slots, arena, offsets, count):
    """Fill empty `slots` from the strings already held."""
    mask = np.uint64(slots.size - 1)
    place = address(arena)
    for code in range(count):
        at = _string_hash(place, offsets[code], offsets[code + 1]) & mask
        while slots[at] != 0:
            at = (at + np.uint64(1)) & mask
        slots[at] = code + 1
