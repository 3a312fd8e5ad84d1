"""The Python step of the pack: bronze lines of a night → events, pulls, combatants, phases, accounting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from gamelake.games.wow import datasets
from gamelake.games.wow.ahead import one_ahead
from gamelake.model.names import DatasetName
from gamelake.model.steps import PythonStep, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from gamelake.games.wow.night import LogPart
    from gamelake.games.wow.reader import LineBatch
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output, StepContext

_BRONZE = str(datasets.COMBATLOG.dataset)
_COLUMNS = ["line_no", "timestamp", "occurrence", "line", "raw"]
_ROWS = 1 << 16


def refine(context: StepContext) -> None:
    """Refine the nights of the batch, two at a time: most of the work runs outside the interpreter's lock."""
    batch = _Batch(context)
    with ThreadPoolExecutor(min(2, len(context.slices))) as pool:
        nights = [pool.submit(batch.refine, place) for place in context.slices]
        try:
            for night in nights:
                night.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # the first failure ends the batch
            raise


class _Batch:
    """What the threads of one batch share."""

    def __init__(self, context: StepContext) -> None:
        import pyarrow.parquet as pq

        self._context = context
        self._lock = Lock()
        self._done = 0
        files = [file for place in context.slices for file in context.files(_BRONZE, place)]
        self._total = sum(pq.read_metadata(file).num_rows for file in files)

    def refine(self, place: Slice) -> None:
        """Write every silver dataset of one night."""
        from gamelake.games.wow.events import NightTables
        from gamelake.games.wow.night import Night

        keys = place.as_dict()
        day = date.fromisoformat(keys["raid_date"])
        night = Night(_parts(self._context.files(_BRONZE, place), day), self._met)
        tables = NightTables(night, day=day, team=keys["team"])
        for rows in tables.events():
            self._write(datasets.EVENTS, place, rows)
        for output, rows in tables.small_tables():
            self._write(output, place, rows)
        with self._lock:
            self._context.finish(place)

    def _write(self, output: Output, place: Slice, rows: pa.Table) -> None:
        with self._lock:
            self._context.write(str(output.dataset), place, rows)

    def _met(self, lines: int) -> None:
        with self._lock:
            self._done += lines
            self._context.progress(self._done, self._total, "lines")


def _parts(files: list[str], day: date) -> Iterator[LogPart]:
    import pyarrow.parquet as pq

    from gamelake.games.wow.night import LogPart

    for file in files:
        head = next(pq.ParquetFile(file).iter_batches(1, columns=["log", "part"])).to_pylist()[0]
        yield LogPart(head["log"], head["part"], partial(_batches, file, day))


def _batches(file: str, day: date) -> Iterator[LineBatch]:
    import pyarrow.parquet as pq

    stored = pq.ParquetFile(file).iter_batches(_ROWS, columns=_COLUMNS)
    yield from one_ahead(lines_of(batch, day) for batch in stored if batch.num_rows)


def lines_of(batch: pa.RecordBatch, day: date) -> LineBatch:
    """Lines as the reader gives them, from a batch of bronze rows in their order."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from gamelake.games.wow.kernels import split
    from gamelake.games.wow.reader import LineBatch

    count = batch.num_rows
    line = batch.column("line")
    if line.null_count:
        line = pc.coalesce(line.cast(pa.binary()), batch.column("raw"))
    _, offsets, data = line.buffers()
    bounds = np.frombuffer(offsets, np.int32)[line.offset : line.offset + count + 1].astype(np.int64)
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    moments = batch.column("timestamp").cast(pa.int64())
    times = pc.fill_null(moments, 0).to_numpy(zero_copy_only=False) // 1000
    times = np.where(batch.column("timestamp").is_null().to_numpy(zero_copy_only=False), split.NO_TIME, times)
    low, high = np.empty(count, np.uint64), np.empty(count, np.uint64)
    dated = split.identities(text, bounds[:-1], bounds[1:], times, low, high)
    return LineBatch(
        text, bounds[:-1], bounds[1:], times, np.full(count, (day - date(1970, 1, 1)).days),
        batch.column("occurrence").to_numpy().astype(np.int64), low, high,
        first_line=batch.column("line_no")[0].as_py(), dated=dated * 2 >= count,
    )  # fmt: skip


STEP = PythonStep(
    name="wow.silver.refine",
    inputs={"combatlog": DatasetName.parse(_BRONZE)},
    outputs=datasets.SILVER,
    version="2",
    run=refine,
    description="Reads the lines of a night and writes what they say",
)

IMPORT = Source(
    name=_BRONZE,
    outputs=(datasets.COMBATLOG, datasets.LOGS),
    description="Combat logs, by `gamelake raid import`",
)
