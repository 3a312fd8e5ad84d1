"""One raid night: the union of all logs of one team and day → pulls, rosters, accounting and event rows.

Two passes, both in constant memory. The first meets every line once and learns what may stand after the lines that
need it (owners of pets, bounds of pulls, who kept the log); the second turns event lines into rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gamelake.games.wow.kernels import shapes, split
from gamelake.games.wow.parsed import BatchParser, EventRows
from gamelake.games.wow.pulls import (
    Combatant,
    Mark,
    Pull,
    PullFinder,
    choose_counted,
    read_combatant,
    read_mark,
)
from gamelake.games.wow.strings import Strings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt

    from gamelake.games.wow.pulls import Bounds
    from gamelake.games.wow.reader import LineBatch

    Ints = npt.NDArray[np.int64]

KEEP_BYTES = 768 << 20  # event rows held between the passes, at most (a night's log of about 1 GB)

_START, _END, _COMBATANT, _VERSION = range(4)
_CONTEXT_NAMES = ("ENCOUNTER_START", "ENCOUNTER_END", "COMBATANT_INFO", "COMBAT_LOG_VERSION")
_KNOWN_NAMES = [name for name, _ in shapes.KNOWN]
_CONTEXT_CODES = np.array([_KNOWN_NAMES.index(name) for name in _CONTEXT_NAMES])


@dataclass(frozen=True)
class LogPart:
    """Lines of one log that were read in one go; `batches` may be iterated again and again."""

    log: str
    part: str
    batches: Callable[[], Iterable[LineBatch]]


@dataclass
class Accounting:
    """What became of the lines of one part: total = events + context + ignored + quarantined."""

    names: dict[tuple[int, str], int] = field(default_factory=Counter)
    quarantined: list[tuple[int, str]] = field(default_factory=list)  # line number, reason
    blocks: set[int] = field(default_factory=set)
    versions: set[int] = field(default_factory=set)
    dated: int = 0  # lines whose timestamp names a year

    @property
    def lines(self) -> int:
        """All lines."""
        return sum(self.names.values())

    @property
    def dialect(self) -> str:
        """Dialect by what the lines look like; a header decides only between v17 and v20, which look alike."""
        return dialect_of(self.blocks, self.versions, dated=self.dated > 0)


def dialect_of(blocks: set[int], versions: set[int], *, dated: bool) -> str:
    """Name of the dialect for the lengths of advanced blocks seen and the versions headers name.

    >>> dialect_of({17}, {17}, dated=False), dialect_of({19}, set(), dated=True), dialect_of({17, 19}, set(), dated=True)
    ('v17', 'v22', 'mixed')
    """
    names = {16: "v9", 17: "v17" if versions and max(versions) < 20 else "v20", 19: "v22"}
    found = {names[length] for length in blocks if length in names}
    if len(found) > 1:
        return "mixed"
    if found:
        return found.pop()
    stated = {f"v{version}" for version in versions} & {"v9", "v17", "v20", "v22"}
    if len(stated) == 1:  # advanced logging is off: nothing but the header tells
        return stated.pop()
    return "v22" if dated else "v20"


@dataclass(eq=False)
class Stretch:
    """A run of lines without a jump back in time: one log, or one of several copied into one file."""

    part: int
    number: int
    first: int = 0
    last: int = 0
    lines: int = 0
    recorder: str | None = None
    marks: list[Mark | tuple[Combatant, int]] = field(default_factory=list)
    keys: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    drop: npt.NDArray[np.bool_] | None = None  # lines another stretch of the same recorder already has


class Night:
    """All that is known of one team's raid day after the first pass over its logs."""

    def __init__(self, parts: Iterable[LogPart], tell: Callable[[int], None] | None = None) -> None:
        """Meet every line; `tell` hears how many were met since it was last called."""
        self._tell = tell
        self.parts = sorted(parts, key=lambda part: (part.log, part.part))
        self.strings = Strings()
        self.accounting = [Accounting() for _ in self.parts]
        self.stretches: list[Stretch] = []
        self._parser = BatchParser(self.strings)
        self._kept: (
            dict[int, list[EventRows]] | None
        ) = {}  # rows by stretch, None when there are too many to keep
        self._kept_bytes = 0
        for index in range(len(self.parts)):
            self._learn(index)
        self._order_stretches()
        self.pulls = self._find_pulls()
        self.owners = self._resolve_owners()
        self._ranges = [self._ranges_of(index) for index in range(len(self.stretches))]

    # first pass

    def _learn(self, index: int) -> None:
        """Meet every line of a part once."""
        for stretch, batch in self._segments(index):
            if batch.times.size and not stretch.lines:
                self.strings.recorders[:] = 0
            times = batch.times[batch.times != split.NO_TIME]
            if times.size:
                stretch.first = stretch.first or int(times[0])
                stretch.last = max(stretch.last, int(times.max()))
            self.accounting[index].dated += batch.dated
            categories, names, events = self._parser.parse(batch, stretch.lines)
            at = self.stretches.index(stretch)
            self._account(index, batch, categories, names, events.rows)
            self._read_context(at, stretch, batch, categories, names)
            self._keep(at, events)
            stretch.lines += len(batch)
            if self._tell:
                self._tell(len(batch))
            stretch.keys.append(batch.keys())
            top = int(np.argmax(self.strings.recorders))
            stretch.recorder = self.strings[top] if self.strings.recorders[top] else None

    def _segments(self, index: int) -> Iterator[tuple[Stretch, LineBatch]]:
        """Batches of a part, cut where a new stretch begins; stretches are created when first met."""
        memory = np.array([0, split.NO_TIME], np.int64)
        known = {stretch.number: stretch for stretch in self.stretches if stretch.part == index}
        for batch in self.parts[index].batches():
            numbers = np.empty(len(batch), np.int64)
            split.number_stretches(batch.times, memory, numbers)
            for number, lines in batch.runs(numbers):
                if number not in known:
                    known[number] = Stretch(index, number)
                    self.stretches.append(known[number])
                yield known[number], lines

    def _keep(self, stretch: int, events: EventRows) -> None:
        """Hold rows for the second pass; a night too big for that is read twice."""
        if self._kept is None:
            return
        self._kept.setdefault(stretch, []).append(events)
        self._kept_bytes += events.nbytes
        if self._kept_bytes > KEEP_BYTES:
            self._kept = None

    def _account(
        self, index: int, batch: LineBatch, categories: npt.NDArray[np.uint8], names: Ints, rows: Ints
    ) -> None:
        account = self.accounting[index]
        for category in (shapes.EVENT, shapes.CONTEXT, shapes.IGNORED, shapes.QUARANTINED):
            counts = np.bincount(names[categories == category])
            for code in np.flatnonzero(counts):
                word = shapes.REASONS[code] if category == shapes.QUARANTINED else self.strings[int(code)]
                account.names[category, word] += int(counts[code])
        bad = np.flatnonzero(categories == shapes.QUARANTINED)
        account.quarantined.extend((batch.first_line + int(at), shapes.REASONS[names[at]]) for at in bad)
        blocks = np.bincount(rows[shapes.C_BLOCK]) if rows.size else np.zeros(0, np.int64)
        account.blocks.update(int(length) for length in np.flatnonzero(blocks) if length)

    def _read_context(
        self, index: int, stretch: Stretch, batch: LineBatch, categories: npt.NDArray[np.uint8], names: Ints
    ) -> None:
        """Marks, rosters and header versions."""
        chosen = np.flatnonzero((categories == shapes.CONTEXT) & np.isin(names, _CONTEXT_CODES))
        for row in chosen:
            payload = batch.line(int(row)).decode().split("  ", 1)[1]
            line, time, day = batch.first_line + int(row), int(batch.times[row]), int(batch.days[row])
            kind = int(np.flatnonzero(names[row] == _CONTEXT_CODES)[0])
            if kind in (_START, _END):
                mark = read_mark(payload, stretch=index, line=line, time=time, day=day)
                if mark is not None:
                    stretch.marks.append(mark)
            elif kind == _COMBATANT:
                combatant = read_combatant(payload)
                if combatant is not None:
                    stretch.marks.append((combatant, time))
            else:
                version = payload.split(",")[1] if "," in payload else ""
                if version.isdigit():
                    self.accounting[stretch.part].versions.add(int(version))

    # between the passes

    def _order_stretches(self) -> None:
        """Settle who kept each stretch, and which lines repeat those of an earlier one."""
        known = Counter[str]()
        for stretch in self.stretches:
            if stretch.recorder:
                known[stretch.recorder] += stretch.lines
        for stretch in self.stretches:  # a short stretch may not show who kept it
            if stretch.recorder is None:
                stretch.recorder = next(iter(known)) if len(known) == 1 else ""
        self.main_recorder = max(known, key=lambda name: (known[name], name)) if known else ""
        self._order = sorted(
            range(len(self.stretches)),
            key=lambda at: (
                self.stretches[at].first,
                -self.stretches[at].lines,
                self._name(self.stretches[at]),
            ),
        )
        seen: dict[str, list[npt.NDArray[np.uint64]]] = {}
        for at in self._order:
            stretch = self.stretches[at]
            if not stretch.keys:
                continue
            keys = np.concatenate(stretch.keys)
            stretch.keys = []
            earlier = seen.setdefault(stretch.recorder or "", [])
            if earlier:
                stretch.drop = np.isin(keys, np.concatenate(earlier))
            earlier.append(keys)

    def _name(self, stretch: Stretch) -> tuple[str, str, int]:
        part = self.parts[stretch.part]
        return part.log, part.part, stretch.number

    def recorder_of(self, part: int) -> str:
        """GUID of the player who kept this part of a log, empty when no line shows."""
        return max((s.recorder or "" for s in self.stretches if s.part == part), default="")

    def _find_pulls(self) -> list[Pull]:
        groups: dict[str, PullFinder] = {}
        last_times = {at: stretch.last for at, stretch in enumerate(self.stretches)}
        for at in self._order:
            stretch = self.stretches[at]
            recorder = stretch.recorder or ""
            finder = groups.setdefault(recorder, PullFinder(recorder))
            for mark in stretch.marks:
                if isinstance(mark, Mark):
                    finder.mark(mark)
                else:
                    finder.combatant(at, *mark)
        found = [finder.finish(last_times) for _, finder in sorted(groups.items())]
        for pulls in found:
            self._count_lines(pulls)
            instance = self._instance(pulls) if any(not pull.instance_id for pull in pulls) else 0
            for pull in pulls:
                pull.instance_id = pull.instance_id or instance
        return choose_counted(found)

    def _instance(self, pulls: list[Pull]) -> int:
        """Where a fight without START took place: as the other pulls say, else as most creatures' GUIDs do."""
        stated = Counter(pull.instance_id for pull in pulls if pull.instance_id)
        if not stated:
            guids = (self.strings[code].split("-") for code in range(len(self.strings)))
            stated = Counter(int(guid[3]) for guid in guids if len(guid) == 7 and guid[3].isdigit())
        return stated.most_common(1)[0][0] if stated else 0

    def _count_lines(self, pulls: list[Pull]) -> None:
        """How full each pull's log is: lines between its bounds (by time where a bound is elsewhere)."""
        for pull in pulls:
            whole = [b for b in pull.bounds.values() if b.start is not None and b.end is not None]
            pull.lines = max((b.end - b.start for b in whole if b.end and b.start), default=0)

    def _resolve_owners(self) -> Ints:
        """owner[code]: the player behind a pet or guardian (through chains), NONE for everybody else."""
        count = len(self.strings)
        direct = self.strings.owners[:count]
        owner = np.full(count, shapes.NONE, np.int64)
        self.is_player = np.zeros(count + 1, bool)  # one more place, so that NONE finds False
        for code in range(count):
            self.is_player[code] = self.strings[code].startswith("Player-")
        for code in np.flatnonzero((direct[:, 0] >= 0) | (direct[:, 1] >= 0)).tolist():
            at, steps = int(code), 0
            while not self.is_player[at] and at >= 0 and steps < 8:
                at = int(direct[at, 0]) if direct[at, 0] >= 0 else int(direct[at, 1])
                steps += 1
            if at >= 0 and self.is_player[at] and at != code:
                owner[code] = at
        return owner

    def _ranges_of(self, index: int) -> list[tuple[int, Pull, Bounds | None]]:
        recorder = self.stretches[index].recorder or ""
        return [
            (n, pull, pull.bounds.get(index))
            for n, pull in enumerate(self.pulls)
            if pull.recorder == recorder
        ]

    # second pass

    def event_rows(self) -> Iterator[EventRows]:
        """Rows of the lines that count, in time order; each distinct line once. To be called once."""
        for reading in self._readings():
            for at, events in self._parsed_again(reading):
                stretch = self.stretches[at]
                pulls = self._assign(at, events)
                keep = self._counted(stretch)[pulls]  # a line outside all pulls looks at the last place
                if stretch.drop is not None:
                    keep &= ~stretch.drop[events.places]
                yield events._replace(pulls=pulls).chosen(keep)

    def _parsed_again(self, reading: list[int]) -> Iterator[tuple[int, EventRows]]:
        """Rows of some stretches of one part, as kept or read once more."""
        if self._kept is not None:
            for at in reading:
                for events in self._kept.pop(at, []):
                    yield at, events
            return
        done: dict[int, int] = {}
        for stretch, batch in self._segments(self.stretches[reading[0]].part):
            at = self.stretches.index(stretch)
            place = done.get(at, 0)
            done[at] = place + len(batch)
            if at in reading:
                yield at, self._parser.parse(batch, place)[2]

    def _counted(self, stretch: Stretch) -> npt.NDArray[np.bool_]:
        """Per pull whether its lines count, and last whether lines outside all pulls do."""
        return np.array([pull.counted for pull in self.pulls] + [stretch.recorder == self.main_recorder])

    def _readings(self) -> list[list[int]]:
        """Stretches in time order, gathered into as few readings of their parts as keep that order."""
        readings: list[list[int]] = []
        for at in self._order:
            last = readings[-1][-1] if readings else None
            follows = last is not None and self.stretches[last].part == self.stretches[at].part and last < at
            if follows:
                readings[-1].append(at)
            else:
                readings.append([at])
        return readings

    def _assign(self, stretch: int, events: EventRows) -> Ints:
        """Pull of each row: between START and END by line number, by time where the stretch lacks the mark."""
        pulls = np.full(events.times.size, -1, np.int64)
        if not pulls.size:
            return pulls
        first, last = events.times.min(), events.times.max()
        for index, pull, bounds in self._ranges[stretch]:
            if pull.end < first - split.STRETCH_GAP or pull.start > last + split.STRETCH_GAP:
                continue
            start = bounds.start if bounds else None
            end = bounds.end if bounds else None
            after = events.numbers > start if start is not None else events.times >= pull.start
            before = events.numbers < end if end is not None else events.times <= pull.end
            pulls[after & before] = index
        return pulls
