"""Files → lines: compression, line ends, chunks, years, and what is refused."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamelake.errors import InputError
from gamelake.games.wow import reader
from gamelake.games.wow.kernels import split
from gamelake.games.wow.reader import LogFile
from games.wow.raid_logs import lines_of, moment, simulated, write


def read(path, **options):
    """(file, everything known of each line)."""
    file = LogFile(path, **options)
    rows = [
        (batch.first_line + row, batch.base + int(batch.starts[row]), batch.line(row), int(batch.times[row]),
         int(batch.days[row]), int(batch.occurrences[row]), int(batch.low[row]), int(batch.high[row]))
        for batch in file.batches()
        for row in range(len(batch))
    ]  # fmt: skip
    return file, rows


def texts(rows) -> list[bytes]:
    return [row[2] for row in rows]


def utc(rows) -> list[str]:
    return [datetime.fromtimestamp(row[3] / 1000, UTC).strftime("%Y-%m-%d %H:%M") for row in rows]


@pytest.fixture(scope="module")
def log() -> bytes:
    return simulated()


class TestFiles:
    def test_a_line_is_told_with_its_place_and_time(self, tmp_path, log):
        file, rows = read(write(tmp_path, "log.txt", log))

        expected, offset = lines_of(log), 0
        for number, (row, line) in enumerate(zip(rows, expected, strict=True), 1):
            assert row[:3] == (number, offset, line.removesuffix(b"\r\n"))
            assert row[3] == (moment(line) - timedelta(hours=1)).timestamp() * 1000
            offset += len(line)
        assert (file.total, file.end, file.pending, file.cut) == (len(expected), len(log), 0, False)

    @pytest.mark.parametrize(
        "pack",
        [
            pytest.param(gzip.compress, id="gz"),
            pytest.param(
                lambda data: gzip.compress(data[:9_000]) + gzip.compress(data[9_000:]), id="gz of two members"
            ),
            pytest.param(zstandard.compress, id="zst"),
            pytest.param(
                lambda data: b"".join(
                    zstandard.compress(data[at : at + 50_000]) for at in range(0, len(data), 50_000)
                ),
                id="zst of many frames",
            ),
        ],
    )
    def test_a_compressed_log_reads_like_the_plain_one(self, tmp_path, log, pack):
        _, plain = read(write(tmp_path, "log.txt", log))

        _, packed = read(write(tmp_path, "log", pack(log)))

        assert packed == plain

    def test_line_ends_of_both_kinds_are_no_part_of_the_line(self, tmp_path, log):
        _, windows = read(write(tmp_path, "crlf.txt", log))

        _, unix = read(write(tmp_path, "lf.txt", log.replace(b"\r\n", b"\n")))

        drop_place = [row[:1] + row[2:] for row in unix]
        assert drop_place == [row[:1] + row[2:] for row in windows]

    @pytest.mark.parametrize("tail", [b"1", b"1/7/2026 23:59:59.0001  SPELL_", b"\r"])
    def test_an_unfinished_last_line_is_pending(self, tmp_path, log, tail):
        file, rows = read(write(tmp_path, "log.txt", log + tail))

        assert (len(rows), file.pending, file.end) == (len(lines_of(log)), len(tail), len(log))

    @pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
    def test_a_compressed_file_that_ends_early_ends_the_log(self, tmp_path, log, pack):
        many = b"".join(lines_of(log) * 6)
        packed = pack(many)

        file, rows = read(write(tmp_path, "log", packed[: len(packed) * 4 // 5]))

        assert file.cut
        assert 0 < len(rows) < len(lines_of(many))
        assert texts(rows) == [line.rstrip() for line in lines_of(many)[: len(rows)]]

    def test_progress_ends_at_the_size_of_the_file(self, tmp_path, log):
        told = []

        for _ in LogFile(write(tmp_path, "log.gz", gzip.compress(log))).batches(lambda *at: told.append(at)):
            pass

        assert told[-1][0] == told[-1][1] == (tmp_path / "log.gz").stat().st_size


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(chunk=st.integers(200, 5_000), lines=st.integers(1, 50), begin=st.integers(0, 500))
def test_chunks_and_batches_of_any_size_give_the_same_lines(tmp_path, monkeypatch, chunk, lines, begin):
    some = b"".join(lines_of(simulated())[begin : begin + 250]) + b"1/7/2026 23"
    path = write(tmp_path, "log.txt", some)
    file, whole = read(path)

    with monkeypatch.context() as patch:
        patch.setattr(reader, "CHUNK", chunk)
        patch.setattr(reader, "LINES_PER_BATCH", lines)
        other, pieces = read(path)

    assert pieces == whole
    assert (other.total, other.end, other.pending) == (file.total, file.end, file.pending)


class TestRefusals:
    def refuse(self, path) -> str:
        with pytest.raises(InputError) as refused:
            read(path)
        assert str(path) in str(refused.value)
        assert refused.value.hint
        return refused.value.problem

    def test_a_missing_file(self, tmp_path):
        assert self.refuse(tmp_path / "none.txt") == "no such file"

    def test_a_folder(self, tmp_path):
        assert self.refuse(tmp_path) == "is a folder, expected a combat log"

    def test_an_empty_file(self, tmp_path):
        assert self.refuse(write(tmp_path, "log.txt", b"")) == "the log is empty"

    @pytest.mark.parametrize(
        "data",
        [
            bytes(range(256)) * 64,
            b"\0" * 5_000_000,
            b"\n" * 1_000,
            b"Dear diary,\nnothing happened.\n",
            b"1/7/2026 20:00:00.0001  NO_LINE_IS_FINISHED",
            b'{"players": []}\n',
        ],
        ids=["binary", "zeros", "blank", "prose", "one unfinished line", "json"],
    )
    def test_what_is_no_combat_log(self, tmp_path, data):
        assert self.refuse(write(tmp_path, "log.txt", data)).startswith("this is not a combat log: ")

    def test_the_same_behind_compression(self, tmp_path):
        assert self.refuse(write(tmp_path, "a.gz", gzip.compress(b"prose\n" * 9))).startswith("this is not a")
        assert self.refuse(write(tmp_path, "b.gz", gzip.compress(b""))).startswith("this is not a combat log")

    @pytest.mark.parametrize("magic", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"], ids=["gz", "zst"])
    def test_a_file_that_only_looks_compressed(self, tmp_path, magic):
        problem = self.refuse(write(tmp_path, "log", magic + b"not really compressed at all" * 9))

        assert problem.startswith(("cannot be decompressed: ", "this is not a combat log: "))


def yearless(*stamps: str) -> bytes:
    return b"".join(f"{stamp}  NEW_THING\n".encode() for stamp in stamps)


class TestYears:
    def at(self, path, year: int, month: int, day: int) -> None:
        written = datetime(year, month, day, tzinfo=UTC).timestamp()
        os.utime(path, (written, written))

    def test_a_year_that_no_line_names_can_be_told(self, tmp_path):
        path = write(tmp_path, "log.txt", yearless("2/16 23:02:12.717"))

        _, rows = read(path, year=2019)

        assert utc(rows) == ["2019-02-16 23:02"]

    @pytest.mark.parametrize(
        ("written", "year"), [((2024, 2, 17), "2024"), ((2024, 12, 1), "2024"), ((2024, 1, 3), "2023")]
    )
    def test_else_it_is_the_latest_that_is_not_after_the_file(self, tmp_path, written, year):
        path = write(tmp_path, "log.txt", yearless("2/16 23:02:12.717"))
        self.at(path, *written)

        _, rows = read(path)

        assert utc(rows) == [f"{year}-02-16 23:02"]

    def test_new_year_is_crossed_forwards_and_a_late_line_back(self, tmp_path):
        stamps = ("12/31 23:59:59.999", "1/1 00:00:00.001", "12/31 23:59:59.998", "1/1 00:00:00.002")

        _, rows = read(write(tmp_path, "log.txt", yearless(*stamps)), year=2025)

        assert [row[:4] for row in utc(rows)] == ["2025", "2026", "2025", "2026"]

    def test_the_file_was_written_after_new_year(self, tmp_path):
        path = write(tmp_path, "log.txt", yearless("12/31 23:59:59.999", "1/1 00:30:00.001"))
        self.at(path, 2026, 1, 1)

        _, rows = read(path)

        assert utc(rows) == ["2025-12-31 23:59", "2026-01-01 00:30"]

    def test_a_leap_day_without_a_year_is_a_day(self, tmp_path):
        _, rows = read(write(tmp_path, "log.txt", yearless("2/29 12:00:00.000")), year=2024)

        assert utc(rows) == ["2024-02-29 12:00"]

    def test_a_zone_says_what_lines_leave_out(self, tmp_path):
        path = write(tmp_path, "log.txt", yearless("7/1 12:00:00.000", "12/1 12:00:00.000"))
        self.at(path, 2025, 7, 1)

        _, rows = read(path, zone="Europe/Berlin", year=2025)

        assert utc(rows)[0] == "2025-07-01 10:00"

    def test_a_line_without_a_time_belongs_to_the_day_around_it(self, tmp_path):
        data = b"rubbish\n1/7/2026 20:00:00.0000  A\nrubbish\n1/8/2026 05:59:59.0000  B\n1/8/2026 06:00:00.0000  C\n"

        _, rows = read(write(tmp_path, "log.txt", data))

        first = rows[0][4]
        assert [row[4] - first for row in rows] == [0, 0, 0, 0, 1]
        assert [row[3] == split.NO_TIME for row in rows] == [True, False, True, False, False]


class TestResume:
    @pytest.mark.parametrize("share", [0.1, 0.37, 0.5, 0.93])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
    def test_a_log_that_has_grown_is_read_on(self, tmp_path, log, share, pack):
        _, whole = read(write(tmp_path, "log", pack(log)))
        first = LogFile(write(tmp_path, "log", pack(log[: int(len(log) * share)])))
        *_, _last = first.batches()
        stop = first.stop()

        second, more = read(write(tmp_path, "log", pack(log)), resume=stop)

        assert first.total + second.total == len(whole)
        assert [row[1:] for row in more] == [row[1:] for row in whole[first.total :]]
        assert [row[0] for row in more] == list(range(1, second.total + 1))

    def test_identical_lines_of_one_instant_are_counted_on(self, tmp_path):
        line = b"1/7/2026 20:00:01.0000  A\n"
        begin = b"1/7/2026 20:00:00.0000  A\n" + line * 2
        first = LogFile(write(tmp_path, "log", begin))
        *_, _last = first.batches()

        _, more = read(write(tmp_path, "log", begin + line * 2), resume=first.stop())

        assert [row[5] for row in more] == [3, 4]

    def test_nothing_new_is_no_line(self, tmp_path, log):
        path = write(tmp_path, "log", log)
        first = LogFile(path)
        *_, _last = first.batches()

        file, rows = read(path, resume=first.stop())

        assert (rows, file.total, file.end) == ([], 0, len(log))

    def test_the_year_of_a_log_without_years_is_remembered(self, tmp_path):
        path = write(tmp_path, "log", yearless("12/31 23:59:59.999", "1/1 00:00:00.001"))
        first = LogFile(path, year=2025)
        *_, _last = first.batches()
        with path.open("ab") as file:
            file.write(yearless("1/1 00:00:05.000"))

        _, rows = read(path, resume=first.stop())

        assert utc(rows) == ["2026-01-01 00:00"]


def test_rows_of_a_batch_keep_their_numbers(tmp_path, log):
    (batch,) = LogFile(write(tmp_path, "log", log)).batches()

    runs = list(batch.runs(np.arange(len(batch)) // 100))

    assert [label for label, _ in runs] == list(range(len(runs)))
    assert [part.first_line for _, part in runs] == list(range(1, len(batch) + 1, 100))
