"""Import of combat logs: files → `wow.bronze.combatlog`, every line once, immutable."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.engines.arrow import arrow_type
from gamelake.errors import ConflictError, Place
from gamelake.games.wow import datasets
from gamelake.games.wow.events import day_of, table_of
from gamelake.games.wow.kernels import split
from gamelake.games.wow.reader import LineBatch, LogFile, Resume, open_log, read_up_to, skip
from gamelake.model.slices import Slice
from gamelake.pipeline.publish import recover
from gamelake.pipeline.source import source_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gamelake.pipeline.project import Project
    from gamelake.pipeline.source import SourceRun

SOURCE = "wow.bronze.combatlog"
_TAIL = 1 << 16
_PATIENCE = 3600.0  # seconds to wait for another import of the same log
_CONSTANT = ("raid_date", "team", "log", "part")  # the same in every line of a file
_SCHEMA = pa.schema(
    [
        pa.field(
            c.name,
            pa.dictionary(pa.int32(), arrow_type(c.type)) if c.name in _CONSTANT else arrow_type(c.type),
            c.nullable,
        )
        for c in datasets.COMBATLOG.schema.columns
    ]
)
_ENCODINGS = {
    "line_no": "DELTA_BINARY_PACKED",
    "timestamp": "DELTA_BINARY_PACKED",
    "line": "PLAIN",
    "raw": "PLAIN",
}


@dataclass(frozen=True)
class Imported:
    """What became of one file."""

    file: str
    log: str
    lines: int  # newly read
    nights: tuple[str, ...]
    state: str  # imported, grown, unchanged
    pending: int  # bytes of an unterminated last line
    cut: bool  # a compressed file ended early


@dataclass(frozen=True)
class _Known:
    """What the lake remembers of a log."""

    team: str
    tail: str
    resume: Resume


def import_logs(
    project: Project,
    paths: Sequence[Path],
    *,
    team: str = "",
    year: int | None = None,
    progress: Callable[[str, float, float], None] | None = None,
) -> list[Imported]:
    """Read the logs into bronze; a log read before is taken up where it stopped.

    Raises InputError for a file that is no combat log (files before it stay imported), ConflictError for a log that
    was imported under another team.
    """
    names = ", ".join(path.name for path in paths)
    with source_run(project, f"import {names}", {"paths": [str(path) for path in paths]}, name=SOURCE) as run:
        return [_import(project, run, path, team, year, progress) for path in paths]


def _import(
    project: Project,
    run: SourceRun,
    path: Path,
    team: str,
    year: int | None,
    progress: Callable[[str, float, float], None] | None,
) -> Imported:
    """One file, under a lease of its log: two imports of a growing log would each take the other's lines away."""
    name = f"log:{_log_of(path)}"
    with project.ledger.lease(name, run.run_id, ttl=project.settings.lease_seconds, wait=_PATIENCE):
        recover(project)
        return _import_leased(project, run, path, team, year, progress)


def _import_leased(
    project: Project,
    run: SourceRun,
    path: Path,
    team: str,
    year: int | None,
    progress: Callable[[str, float, float], None] | None,
) -> Imported:
    log, resume = _recognise(project, path, team)
    file = LogFile(path, zone=project.settings.zone, year=year, resume=resume)

    def tell(done: int, size: int) -> None:
        run.progress(done, size, "bytes", message=path.name)
        if progress:
            progress(path.name, done, size)

    part = f"{resume.end if resume else 0:015d}"
    last: LineBatch | None = None
    writers: dict[int, _NightWriter] = {}
    with ExitStack() as stack, _Behind() as behind:  # the thread stops before any writer is closed
        for last in file.batches(tell):
            for day, rows in last.runs(last.days):
                if day not in writers:
                    place = Slice.of(raid_date=day_of(day).isoformat(), team=team, log=log, part=part)
                    staged = run.staging_file(datasets.COMBATLOG)
                    writers[day] = stack.enter_context(_NightWriter(place, staged))
                behind.do(partial(writers[day].write, rows, *_texts(rows)))
        behind.wait()
    nights = tuple(day_of(day).isoformat() for day in sorted(writers))
    if last is not None:
        run.publish(
            datasets.COMBATLOG,
            {writer.slice: [writer.path] for writer in writers.values()},
            content_hashes={writer.slice: writer.content_hash for writer in writers.values()},
        )
        _remember(run, file, log=log, part=part, team=team)
    state = "unchanged" if last is None else "grown" if resume else "imported"
    return Imported(path.name, log, file.total, nights, state, file.pending, file.cut)


class _Behind:
    """Does one thing after the other in a thread of its own, at most a few behind the caller."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def do(self, work: Callable[[], None]) -> None:
        """Queue the work; waits while more than four pieces are open, and raises what an earlier one raised."""
        self._waiting.append(self._pool.submit(work))
        if len(self._waiting) > 4:
            self._waiting.popleft().result()

    def wait(self) -> None:
        """Return when all is done."""
        while self._waiting:
            self._waiting.popleft().result()


class _NightWriter:
    """Writes the lines of one night of one log into a staged file."""

    def __init__(self, place: Slice, path: Path) -> None:
        self.slice = place
        self.path = path
        self._mixed = 0
        self._lines = 0
        self._writer = pq.ParquetWriter(
            path, _SCHEMA, compression="zstd", compression_level=1, column_encoding=_ENCODINGS,
            use_dictionary=[*_CONSTANT, "occurrence"], store_schema=False,
        )  # fmt: skip

    @property
    def content_hash(self) -> str:
        """Of the lines' identities and occurrences, whatever their order."""
        return f"{self._lines}:{self._mixed % 2**64:016x}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._writer.close()

    def write(self, batch: LineBatch, line: pa.Array, raw: pa.Array) -> None:
        """Append lines in order, with their texts as `_texts` gives them."""
        self._mixed += int(batch.keys().sum(dtype=np.uint64))
        keys = self.slice.as_dict()
        count = len(batch)
        self._lines += count
        constants: dict[str, Any] = {**keys, "raid_date": date.fromisoformat(keys["raid_date"])}
        columns = {
            **{name: _repeated(value, _SCHEMA.field(name).type, count) for name, value in constants.items()},
            "line_no": pa.array(np.arange(batch.first_line, batch.first_line + count)),
            "timestamp": pa.array(
                np.where(batch.times == split.NO_TIME, 0, batch.times) * 1000, pa.timestamp("us", "UTC"),
                mask=batch.times == split.NO_TIME,
            ),
            "occurrence": pa.array(batch.occurrences.astype(np.int32)),
            "line": line,
            "raw": raw,
        }  # fmt: skip
        self._writer.write_table(pa.table([columns[name] for name in _SCHEMA.names], schema=_SCHEMA))


def _repeated(value: Any, kind: pa.DictionaryType, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([value], kind.value_type))


def _texts(batch: LineBatch) -> tuple[pa.Array, pa.Array]:
    """(lines as text, bytes of those that are not UTF-8)."""
    count = len(batch)
    problems = np.empty(count, np.uint8)
    split.text_problems(batch.data, batch.starts, batch.ends, problems)
    size = int((batch.ends - batch.starts).sum())
    packed = np.empty(size + 8, np.uint8)
    offsets = np.empty(count + 1, np.int32)
    split.copy_lines(batch.data, batch.starts, batch.ends, packed, offsets)
    bad = problems == 2
    if not bad.any():
        return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(packed)), pa.nulls(
            count, pa.binary()
        )
    pieces = pa.BinaryArray.from_buffers(
        pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(packed)]
    )
    mask = pa.array(bad)
    nothing = pa.scalar(None, pa.binary())
    return pa.compute.if_else(mask, nothing, pieces).cast(pa.string()), pa.compute.if_else(
        mask, pieces, nothing
    )


def _log_of(path: Path) -> str:
    """Id of a log by its first line."""
    return hashlib.blake2b(_first_line(path), digest_size=8).hexdigest()


def _recognise(project: Project, path: Path, team: str) -> tuple[str, Resume | None]:
    """Id of the log, and where an earlier reading stopped when this is the same file, longer now."""
    log = _log_of(path)
    known = _known(project, log)
    if known is None:
        return log, None
    if known.team != team:
        problem = f"was imported for team `{known.team}`, not `{team}`"
        raise ConflictError(problem, Place(str(path)), f"import it with `--team {known.team}`, or leave it")
    if _tail(path, known.resume.end) == known.tail:
        return log, known.resume
    whole = hashlib.blake2b(digest_size=8)  # begins like that one and goes on differently: a log of its own
    with open_log(path) as stream:
        while chunk := read_up_to(stream, 1 << 20):
            whole.update(chunk)
    log = whole.hexdigest()
    known = _known(project, log)
    return log, known.resume if known else None


def _known(project: Project, log: str) -> _Known | None:
    with project.connect(datasets=[str(datasets.LOGS.dataset)]) as connection:
        rows = connection.sql(
            "SELECT team, tail, resume FROM wow.bronze.logs WHERE log = $log ORDER BY end_byte DESC LIMIT 1",
            params={"log": log},
        ).to_arrow_table().to_pylist()  # fmt: skip
    return _Known(rows[0]["team"], rows[0]["tail"], Resume(**json.loads(rows[0]["resume"]))) if rows else None


def _remember(run: SourceRun, file: LogFile, *, log: str, part: str, team: str) -> None:
    stop = file.stop()
    columns = {
        "log": log,
        "part": part,
        "team": team,
        "file_name": file.path.name,
        "first_byte": [int(part)],
        "end_byte": [stop.end],
        "tail": _tail(file.path, stop.end),
        "lines": [file.total],
        "resume": json.dumps(asdict(stop)),
    }
    run.publish(datasets.LOGS, {Slice.of(log=log, part=part): [table_of(datasets.LOGS.schema, columns, 1)]})


def _first_line(path: Path) -> bytes:
    with open_log(path) as stream:
        head = read_up_to(stream, _TAIL)
    return head[: head.find(b"\n") + 1] or head


def _tail(path: Path, end: int) -> str:
    """Digest of the bytes before an uncompressed offset; of what there is when the log is shorter."""
    with open_log(path) as stream:
        skip(stream, max(0, end - _TAIL))
        piece = read_up_to(stream, min(end, _TAIL))
    return hashlib.blake2b(piece, digest_size=16).hexdigest()
