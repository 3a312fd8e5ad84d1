"""Kernels against plain Python: hashes, ids, text, numbers, fields and timestamps."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta

import mmh3
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from gamelake.games.wow.events import NAMESPACE
from gamelake.games.wow.kernels import fields, identity, split, text

given_some = settings(max_examples=300, deadline=None, derandomize=True)  # the first call compiles


def array(data: bytes):
    return np.frombuffer(data, np.uint8)


@njit
def integer(data):
    return text.read_int(text.address(data), 0, data.size)


@njit
def hexadecimal(data):
    return text.read_hex(text.address(data), 0, data.size)


@njit
def decimal(data):
    return text.read_decimal(text.address(data), 0, data.size)


@njit
def cut(data, begins, stops):
    line = fields.Line(text.address(data), text.address(begins), text.address(stops))
    return fields.split_fields(line, 0, data.size)


@njit
def closes(data):
    return fields.quotes_close(text.address(data), 0, data.size)


def hashed(data: bytes, time: int = split.NO_TIME) -> int:
    """128 bits of a line's identity."""
    low, high = np.empty(1, np.uint64), np.empty(1, np.uint64)
    bounds = np.array([0]), np.array([len(data)])
    split.identities(array(data), *bounds, np.array([time]), low, high)
    return int(low[0]) | int(high[0]) << 64


def problem(data: bytes) -> int:
    out = np.empty(1, np.uint8)
    split.text_problems(array(data), np.array([0]), np.array([len(data)]), out)
    return int(out[0])


class TestHashes:
    @given_some
    @given(st.binary(max_size=200))
    def test_identities_are_murmur3(self, data):
        assert hashed(data) == mmh3.hash128(data, 0, x64arch=True, signed=False)

    def test_a_line_without_a_year_is_hashed_with_the_year_it_was_written_in(self):
        line = b"2/16 23:02:12.717  NEW_THING"
        written = [datetime(year, 2, 16, 23, 2, 12, tzinfo=UTC) for year in (2024, 2026)]

        found = [hashed(line, int(moment.timestamp()) * 1000) for moment in written]

        assert found == [mmh3.hash128(line, year, x64arch=True, signed=False) for year in (2024, 2026)]

    @given_some
    @given(
        low=st.integers(0, 2**64 - 1), high=st.integers(0, 2**64 - 1), occurrence=st.integers(1, 2**31 - 1)
    )
    def test_event_ids_are_version_5_uuids(self, low, high, occurrence):
        words = np.frombuffer(NAMESPACE.bytes, ">u4").astype(np.uint32)
        out = np.empty((1, 16), np.uint8)

        identity.event_ids(
            words, np.array([low], np.uint64), np.array([high], np.uint64), np.array([occurrence]), out
        )

        name = low.to_bytes(8) + high.to_bytes(8) + occurrence.to_bytes(4)
        assert uuid.UUID(bytes=out[0].tobytes()) == uuid5(name)


def uuid5(name: bytes) -> uuid.UUID:
    """`uuid.uuid5` of bytes, which older Pythons take as text only."""
    import hashlib

    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


class TestText:
    @given_some
    @given(st.binary(max_size=40))
    @example(b"a" * 9 + b"\xed\xa0\x80")  # a surrogate
    @example(b"\xf4\x90\x80\x80")  # beyond the last code point
    @example(b"\xc0\xaf")  # a slash, written too long
    @example(b"abcdefg\xc3")  # ends in the middle of a letter
    def test_bytes_are_text_exactly_when_python_can_decode_them(self, data):
        try:
            data.decode()
        except UnicodeDecodeError:
            clean = False
        else:
            clean = True

        # a control character is found first when it comes first
        assert problem(data) == 2 if not clean and not first_control(data) else problem(data) in {0, 1, 2}
        assert not (clean and problem(data) == 2)

    @given_some
    @given(st.text(max_size=40))
    def test_clean_text_holds_no_control_character_but_the_tab(self, data):
        control = any(ord(letter) < 0x20 and letter != "\t" for letter in data)

        assert problem(data.encode()) == int(control)


def first_control(data: bytes) -> bool:
    return any(byte < 0x20 and byte != 9 for byte in data)


class TestNumbers:
    @given_some
    @given(st.integers(-(10**17) + 1, 10**17 - 1))
    def test_integers_are_read_as_written(self, value):
        assert integer(array(str(value).encode())) == value

    @pytest.mark.parametrize(
        "word", ["", "-", "--1", "1-", "1.5", "0x1", "1 ", " 1", "abc", "NIL", "nill", "1" * 18, "١"]
    )
    def test_what_is_no_integer_is_bad(self, word):
        assert integer(array(word.encode())) == text.BAD

    def test_nil_is_told_from_every_number(self):
        assert integer(array(b"nil")) == text.NIL

    @given_some
    @given(st.integers(0, 2**32 - 1))
    def test_flags_are_read_in_hex_and_in_decimal(self, value):
        words = [f"0x{value:x}", f"0x{value:X}", f"0X{value:08x}", str(value)]

        assert {hexadecimal(array(word.encode())) for word in words} == {value}

    @pytest.mark.parametrize("word", ["", "0x", "0xg", "0x123456789", "-1", "nil", "x1", "0x-1", "f00"])
    def test_what_is_no_flag_is_bad(self, word):
        assert hexadecimal(array(word.encode())) == text.BAD

    @given_some
    @given(st.decimals(-100_000, 100_000, places=4))
    def test_decimals_are_read_to_the_last_place(self, value):
        assert decimal(array(f"{value:.4f}".encode())) == pytest.approx(float(value), rel=1e-15)

    @pytest.mark.parametrize("word", ["", "-", ".", "-.", "1.2.3", "1e5", "nan", "inf", "1,5", "1" * 25])
    def test_what_is_no_decimal_is_nan(self, word):
        assert math.isnan(decimal(array(word.encode())))


plain = st.text(st.characters(codec="utf-8", exclude_characters='",\n\r'), max_size=12)
quoted = st.text(st.characters(codec="utf-8", exclude_characters='"\n\r'), max_size=12)


class TestFields:
    @given_some
    @given(st.lists(st.one_of(plain, quoted.map(lambda word: f'"{word}"')), min_size=1, max_size=70))
    def test_commas_split_outside_quotes_only(self, words):
        data = ",".join(words).encode()
        begins, stops = np.zeros(64, np.int64), np.zeros(64, np.int64)

        count = cut(array(data), begins, stops)

        assert count == len(words)
        found = [data[begin:stop].decode() for begin, stop in zip(begins, stops, strict=True)]
        assert found[: min(count, 64)] == words[:64]

    @given_some
    @given(st.text('a",', max_size=30))
    def test_an_open_quote_is_noticed(self, word):
        begins, stops = np.zeros(64, np.int64), np.zeros(64, np.int64)
        data = array(word.encode())

        closed = word.count('"') % 2 == 0
        assert (cut(data, begins, stops) >= 0) == closed
        assert closes(data) == closed


def time_of(stamp: str, *, year: int = 2026):
    """(local time, offset in minutes or None, has a year) of a timestamp, None when it is none."""
    out = np.zeros(6, np.int64)
    if not split.read_time_of(array(f"{stamp}  NEW_THING".encode()), year, out):
        return None
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(out[0]))
    offset = None if out[1] == split.NO_TIME else int(out[1])
    return local.replace(tzinfo=None).isoformat(timespec="milliseconds"), offset, bool(out[5])


class TestTimes:
    @pytest.mark.parametrize(
        ("stamp", "local", "offset"),
        [
            ("2/16/2026 23:02:12.7170", "2026-02-16T23:02:12.717", 0),
            ("2/16/2026 23:02:12.0802", "2026-02-16T23:02:12.080", 120),
            ("2/16/2026 23:02:12.462-4", "2026-02-16T23:02:12.462", -240),
            ("2/16/2026 23:02:12.462+4", "2026-02-16T23:02:12.462", 240),
            ("2/16/2026 23:02:12.12310", "2026-02-16T23:02:12.123", 600),
            ("2/16/2026 23:02:12.123-10", "2026-02-16T23:02:12.123", -600),
            ("2/16/2026 23:02:12.1235.5", "2026-02-16T23:02:12.123", 330),
            ("2/16/2026 23:02:12.1235.75", "2026-02-16T23:02:12.123", 345),
            ("2/16/2026 23:02:12.123-3.5", "2026-02-16T23:02:12.123", -210),
            ("2/16/2026 23:02:12.123", "2026-02-16T23:02:12.123", None),
            ("12/31/2025 00:00:00.0001", "2025-12-31T00:00:00.000", 60),
            ("2/29/2024 12:00:00.0000", "2024-02-29T12:00:00.000", 0),
        ],
    )
    def test_digits_behind_the_milliseconds_are_the_offset_in_hours(self, stamp, local, offset):
        assert time_of(stamp) == (local, offset, True)

    def test_a_year_that_is_not_there_is_the_one_given(self):
        assert time_of("1/2 03:04:05.678", year=2021) == ("2021-01-02T03:04:05.678", None, False)

    @given_some
    @given(
        st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31)),  # noqa: DTZ001 - a wall clock
        st.one_of(st.none(), st.integers(-12, 14)),
    )
    def test_every_moment_is_read_back(self, local, offset):
        milli = local.microsecond // 1000
        stamp = f"{local.month}/{local.day}/{local.year} {local:%H:%M:%S}.{milli:03d}"

        read = time_of(stamp if offset is None else f"{stamp}{offset}")

        expected = local.replace(microsecond=milli * 1000).isoformat(timespec="milliseconds")
        assert read == (expected, None if offset is None else offset * 60, True)

    @pytest.mark.parametrize(
        "stamp",
        [
            "",
            "13/1/2026 00:00:00.0000",
            "0/1/2026 00:00:00.0000",
            "2/29/2026 00:00:00.0000",
            "4/31/2026 00:00:00.0000",
            "1/0/2026 00:00:00.0000",
            "1/32/2026 00:00:00.0000",
            "1/1/2026 24:00:00.0000",
            "1/1/2026 00:60:00.0000",
            "1/1/2026 00:00:61.0000",
            "1/1/2026 00:00:00.00",
            "1/1/2026 00:00:00.00015",
            "1/1/2026 00:00:00.000x",
            "1/1/1999 00:00:00.0000",
            "1/1/26 00:00:00.0000",
            "1/1/2026 0:00:00.0000",
            "2026-01-01 00:00:00.000",
            " 1/1/2026 00:00:00.0000",
        ],
    )
    def test_what_is_no_timestamp_is_refused(self, stamp):
        assert time_of(stamp) is None

    def test_two_spaces_end_it(self):
        out = np.zeros(6, np.int64)

        assert not split.read_time_of(array(b"1/1/2026 00:00:00.0000 NEW_THING"), 2026, out)
        assert not split.read_time_of(array(b"1/1/2026 00:00:00.0000"), 2026, out)
        assert not split.read_time_of(array(b"1/1/2026 00:00:00.0000  "), 2026, out)
