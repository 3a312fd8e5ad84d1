"""Combat-log files → batches of lines, in constant memory, plain or compressed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import zstandard

from gamelake.errors import InputError, Place
from gamelake.games.wow.kernels import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt
    from _typeshed import WriteableBuffer

    Ints = npt.NDArray[np.int64]

CHUNK = 8 << 20
LINES_PER_BATCH = 1 << 16
_PACKED = 1 << 14  # bytes unpacked in one go; what comes out is held in memory
LONGEST_LINE = 4 << 20  # bytes; a file with a longer one is not a combat log
_UNREADABLE = (EOFError, zstandard.ZstdError, zlib.error, OSError)  # a compressed file that is cut or damaged
_REMEMBERED = [split.YEAR, split.MONTH, split.DAY, split.FIGHT_DAY, split.LAST]
_WORDS = tuple(
    np.frombuffer(word, np.uint8) for word in (b"ENCOUNTER_START", b"ENCOUNTER_END", b"COMBAT_LOG_VERSION")
)


@dataclass
class LineBatch:
    """Some consecutive lines. Arrays have one row per line; the bytes lie in `data[starts:ends]`."""

    data: npt.NDArray[np.uint8]
    starts: Ints
    ends: Ints
    times: Ints  # UTC ms, split.NO_TIME where a line has no timestamp
    days: Ints  # raid day, days since 1970
    occurrences: Ints  # 1 for the first of several identical lines
    low: npt.NDArray[np.uint64]  # 128-bit identity of the line's bytes with its year
    high: npt.NDArray[np.uint64]
    base: int = 0  # uncompressed offset of data[0] in the log
    first_line: int = 1  # number of the first line in its part of the log
    dated: bool = True  # the log's timestamps name a year

    def __len__(self) -> int:
        return int(self.starts.size)

    def rows(self, chosen: slice | npt.NDArray[Any]) -> LineBatch:
        """The chosen lines, in order; a slice shares memory."""
        start = chosen.start or 0 if isinstance(chosen, slice) else 0
        return LineBatch(
            self.data,
            self.starts[chosen],
            self.ends[chosen],
            self.times[chosen],
            self.days[chosen],
            self.occurrences[chosen],
            self.low[chosen],
            self.high[chosen],
            self.base,
            self.first_line + start,
            self.dated,
        )

    def runs(self, labels: Ints) -> Iterator[tuple[int, LineBatch]]:
        """(label, lines) of each run of lines with the same label; `labels` has one entry per line."""
        cuts = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(self)] if len(self) else []
        for begin, end in pairwise(cuts):
            yield int(labels[begin]), self.rows(slice(begin, end))

    def keys(self) -> npt.NDArray[np.uint64]:
        """64 bits of each line's identity and occurrence."""
        mixed = self.occurrences.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        keys: npt.NDArray[np.uint64] = self.low ^ (self.high + mixed)
        return keys

    def line(self, row: int) -> bytes:
        """Bytes of one line without its terminator."""
        return self.data[self.starts[row] : self.ends[row]].tobytes()


def file_size(path: Path) -> int:
    """Bytes of a log file; InputError when it is missing, a folder or empty."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError("no such file", Place(str(path)), "give the path of a WoWCombatLog.txt") from None
    if path.is_dir():
        raise InputError("is a folder, expected a combat log", Place(str(path)), "name the file inside it")
    if size == 0:
        hint = "the game writes it after `/combatlog`; is this the right file?"
        raise InputError("the log is empty", Place(str(path)), hint)
    return size


@dataclass(frozen=True)
class Resume:
    """Where a reading stopped, and what the next one must know. Offsets are uncompressed bytes."""

    end: int  # behind the last whole line
    again: int  # first line of the last instant: read again, so that identical lines are counted on
    year: int
    month: int
    day: int
    fight_day: int
    last: int  # UTC ms of the latest line


@cache
def zone_offsets(zone: str, year: int) -> tuple[Ints, Ints]:
    """From which local time on (ms, as if it were UTC) which offset (minutes) holds, for lines that state none.

    Covers the year before to two years after. A local hour that comes twice is taken for the first of the two.
    """
    clock = ZoneInfo(zone)

    def minutes(at: datetime) -> int:
        return round((at.astimezone(clock).utcoffset() or timedelta()).total_seconds() / 60)

    at, end = datetime(year - 1, 1, 1, tzinfo=UTC), datetime(year + 3, 1, 1, tzinfo=UTC)
    starts, offsets = [split.NO_TIME], [minutes(at)]
    while at < end:
        at += timedelta(hours=1 if minutes(at + timedelta(days=1)) != offsets[-1] else 24)
        if minutes(at) != offsets[-1]:
            starts.append(round(at.timestamp() * 1000) + offsets[-1] * 60_000)
            offsets.append(minutes(at))
    return np.array(starts, np.int64), np.array(offsets, np.int64)


@dataclass
class LogFile:
    """One log on disk and how to read it; the counters are right once `batches` is exhausted."""

    path: Path
    zone: str = "UTC"  # of timestamps that state no offset
    year: int | None = None  # of the first line, where lines name none
    resume: Resume | None = None  # where an earlier reading of a log that has grown since stopped
    total: int = 0  # terminated lines
    end: int = 0  # uncompressed offset behind the last terminated line
    pending: int = 0  # bytes of an unterminated last line, not an event yet
    cut: bool = False  # the compressed stream ended early
    dated: bool = True
    _latest: deque[LineBatch] = field(default_factory=lambda: deque(maxlen=2), repr=False)
    _offsets: tuple[Ints, Ints] = field(default_factory=lambda: zone_offsets("UTC", 2000), repr=False)
    _state: Ints = field(default_factory=lambda: np.zeros(split.STATE_SIZE, np.int64), repr=False)

    def batches(self, progress: Callable[[int, int], None] | None = None) -> Iterator[LineBatch]:
        """Read the log once. `progress` receives (bytes of the file read, its size).

        Raises InputError for a file that is missing, empty, or holds no line with a timestamp.
        """
        size = file_size(self.path)
        with self.path.open("rb") as raw, decompressed(raw) as stream:
            self.end = self.resume.again if self.resume else 0
            skip(stream, self.end)
            self.total = 0
            for batch in self._unseen(self._split(stream)):
                if progress:
                    progress(raw.tell(), size)
                yield batch

    def stop(self) -> Resume:
        """Where this reading stopped."""
        state = [int(self._state[place]) for place in _REMEMBERED]
        again = self.end
        for batch in self._latest:  # back to the first line whose twin might still come
            near = np.flatnonzero(batch.times >= self._state[split.LAST] - split.STRETCH_GAP)
            if near.size:
                again = min(again, batch.base + int(batch.starts[near[0]]))
        return Resume(self.end, again, *state)

    def _unseen(self, batches: Iterator[LineBatch]) -> Iterator[LineBatch]:
        """Without the lines an earlier reading has had; numbered from 1."""
        for batch in batches:
            fresh = batch
            if self.resume and batch.base < self.resume.end:
                seen = int(np.searchsorted(batch.starts + batch.base, self.resume.end))
                fresh = batch.rows(slice(seen, len(batch)))
            fresh.first_line = self.total + 1
            self.total += len(fresh)
            if len(fresh):
                yield fresh

    def _split(self, stream: IO[bytes]) -> Iterator[LineBatch]:
        state = self._state
        state[:] = 0
        state[split.DAY] = state[split.FIGHT_DAY] = split.NO_DAY
        state[split.LAST] = state[split.WINDOW] = split.NO_TIME
        if self.resume:
            known = self.resume
            state[_REMEMBERED] = (known.year, known.month, known.day, known.fight_day, known.last)
        tables = np.zeros((2, 1 << 12, 3), np.uint64)
        carried = b""
        started = self.resume is not None
        self._latest.clear()
        if started:
            self._offsets = zone_offsets(self.zone, int(state[split.YEAR]))
        while True:
            chunk = self._read(stream)
            buffer = carried + chunk
            data = np.frombuffer(buffer, np.uint8)
            if not started and chunk:
                state[split.YEAR] = self._first_year(data)
                self._offsets = zone_offsets(self.zone, int(state[split.YEAR]))
                started = True
            position = 0
            while True:
                batch, position, tables = self._next(data, position, tables)
                if not len(batch):
                    break
                if state[split.DAY] == split.NO_DAY:
                    self._refuse()
                self._latest.append(batch)
                yield batch
            carried = buffer[position:]
            self.end += position
            self.pending = len(carried)
            self.dated = bool(state[split.DATED] >= state[split.YEARLESS])
            if not chunk:
                break
            if len(carried) > LONGEST_LINE:
                self._refuse()
        if self.end == 0:
            self._refuse()

    def _next(
        self, data: npt.NDArray[np.uint8], position: int, tables: npt.NDArray[np.uint64]
    ) -> tuple[LineBatch, int, npt.NDArray[np.uint64]]:
        """Lines from `position` on, the position behind them, and the identity tables, enlarged when too full."""
        state = self._state
        numbers = np.empty((5, LINES_PER_BATCH), np.int64)
        hashes = np.empty((2, LINES_PER_BATCH), np.uint64)
        count, behind = split.split_lines(
            data, position, data.size, *self._offsets, _WORDS, state, tables, *numbers, *hashes
        )  # fmt: skip
        if state[split.COUNT_NEW] * 2 >= tables.shape[1]:
            bigger = np.zeros((2, tables.shape[1] * 4, 3), np.uint64)
            for generation in range(2):
                split.enlarge(tables[generation], bigger[generation])
            tables = bigger
        starts, ends, times, days, occurrences = (column[:count] for column in numbers)
        if count and days[0] == split.NO_DAY and state[split.DAY] != split.NO_DAY:
            first = int(np.argmax(days != split.NO_DAY))
            days[:first] = days[first]  # lines before the first timestamp belong to the day that follows
        batch = LineBatch(
            data, starts, ends, times, days, occurrences, hashes[0, :count], hashes[1, :count], self.end, 1,
            bool(state[split.DATED] >= state[split.YEARLESS]),
        )  # fmt: skip
        return batch, behind, tables

    def _read(self, stream: IO[bytes]) -> bytes:
        """Next chunk; a compressed file that ends in the middle ends the log, what came before counts."""
        pieces: list[bytes] = []
        size = 0
        try:
            while size < CHUNK and (piece := stream.read1(CHUNK)):  # type: ignore[attr-defined]  # all of ours have it
                pieces.append(piece)
                size += len(piece)
        except EOFError:
            self.cut = True
        except _UNREADABLE as error:
            if self.end == 0 and not pieces:
                problem = f"cannot be decompressed: {error}"
                raise InputError(problem, Place(str(self.path)), "is the download complete?") from error
            self.cut = True
        return b"".join(pieces)

    def _first_year(self, data: npt.NDArray[np.uint8]) -> int:
        """Year of the first line: as told, else the latest that is not after the file's own time."""
        if self.year is not None:
            return self.year
        written = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        head = data[: 1 << 16].tobytes().split(b"\n")
        clock = np.zeros(6, np.int64)
        for line in head:
            bytes_of_line = np.frombuffer(line, np.uint8)
            if split.read_time_of(bytes_of_line, written.year, clock):
                first = datetime.fromtimestamp(clock[0] / 1000, UTC)
                return written.year if first.timestamp() <= written.timestamp() + 86_400 else written.year - 1
        return written.year

    def _refuse(self) -> None:
        if self.cut:
            problem = "cannot be decompressed: the file ends before the first line does"
            raise InputError(problem, Place(str(self.path)), "is the download complete?")
        problem = (
            "this is not a combat log: no line begins with a timestamp such as `2/16/2026 23:02:12.1780`"
        )
        raise InputError(
            problem, Place(str(self.path)), "expected the game's WoWCombatLog.txt, plain, .gz or .zst"
        )


def decompressed(raw: IO[bytes]) -> IO[bytes]:
    """Plain bytes of a log, by the magic number of the file."""
    magic = raw.read(4)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(raw)  # type: ignore[return-value]  # a GzipFile reads like any binary file
    if magic == b"\x28\xb5\x2f\xfd":
        return io.BufferedReader(_Frames(raw), 1 << 20)
    return raw


class _Frames(io.RawIOBase):
    """Plain bytes of zstd frames one behind the other; EOFError when the file ends inside a frame.

    The library's own reader takes such an end for the end of the log.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._plain:
            self._packed = self._packed or self._raw.read(_PACKED)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError
                return 0
            frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._plain = memoryview(frame.decompress(self._packed))
            self._packed = frame.unused_data
            self._frame = None if frame.eof else frame
        room = memoryview(buffer).cast("B")
        size = min(len(room), len(self._plain))
        room[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size


@contextmanager
def open_log(path: Path) -> Iterator[IO[bytes]]:
    """Uncompressed bytes of a log; InputError when it is not there or empty."""
    file_size(path)
    with path.open("rb") as raw, decompressed(raw) as stream:
        yield stream


def read_up_to(stream: IO[bytes], count: int) -> bytes:
    """So many bytes; fewer where the log ends, also where a compressed one is cut off."""
    pieces: list[bytes] = []
    with suppress(*_UNREADABLE):
        while count > 0 and (piece := stream.read1(count)):  # type: ignore[attr-defined]  # all of ours have it
            pieces.append(piece)
            count -= len(piece)
    return b"".join(pieces)


def skip(stream: IO[bytes], count: int) -> None:
    """Move forward from the beginning, by reading where the stream cannot jump."""
    try:
        stream.seek(count)
    except io.UnsupportedOperation:
        while count > 0 and (piece := read_up_to(stream, min(count, CHUNK))):
            count -= len(piece)
