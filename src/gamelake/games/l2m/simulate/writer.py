"""The folder of the source: one Parquet file for each table and day of arrival, written as the days pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.games.l2m.simulate.columns import SCHEMAS, to_table

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from datetime import date
    from pathlib import Path

    from gamelake.games.l2m.simulate.arrival import Delivery
    from gamelake.games.l2m.simulate.columns import BlockTexts
    from gamelake.games.l2m.simulate.state import World

ROW_GROUP = 1 << 18
FILE = "part-00000.parquet"
# Trying a dictionary on columns whose values hardly repeat takes half of the time of writing.
_DISTINCT = {"log_id", "order_id", "logtime", "occurred", "new_num1", "total_rev_usd"}


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Texts with dictionaries stay plain text for readers: no Arrow schema is stored."""
    path.parent.mkdir(parents=True, exist_ok=True)
    repeated = [name for name in schema.names if name not in _DISTINCT]
    settings = {"compression": "zstd", "compression_level": 1, "store_schema": False}
    return pq.ParquetWriter(path, schema, use_dictionary=repeated, **settings)


def write_table(path: Path, table: pa.Table) -> None:
    """A small table as one file."""
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table)


class Shelf:
    """One source table: today's slice is open, rows of later slices wait in memory.

    Files are written by the pen's one thread, while the next block is made; of each table one row group at most
    is on its way.
    """

    def __init__(self, root: Path, name: str, pen: Executor) -> None:
        self.name, self.schema = name, SCHEMAS[name]
        self.rows = 0
        self.bytes = 0
        self._root = root / name
        self._pen = pen
        self._waiting: dict[int, list[pa.Table]] = {}
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._path = self._root
        self._writing: Future[None] | None = None

    def open(self, day: int, date: date) -> None:
        """Begin a slice with the rows that waited for it; it is written even when it stays empty."""
        self._path = self._root / f"ds={date}" / FILE
        self._writer = parquet_writer(self._path, self.schema)
        for table in self._waiting.pop(day, []):
            self._hold(table)

    def put(self, world: World, texts: BlockTexts, day: int, block: int, delivery: Delivery) -> None:
        """Add what arrives today, and keep the rest for its day."""
        order = np.argsort(delivery.ds, kind="stable")
        table = to_table(world, texts, self.name, day, block, delivery.rows.take(order))
        starts = np.searchsorted(delivery.ds[order], np.arange(day, world.days + 1))
        self._hold(table.slice(0, int(starts[1])))
        for ds in np.unique(delivery.ds[delivery.ds > day]).tolist():
            low, high = starts[ds - day], starts[ds - day + 1]
            copied = table.take(pa.array(np.arange(low, high))).cast(self.schema)  # lets go of the block
            self._waiting.setdefault(ds, []).append(copied)

    def close(self) -> None:
        """End the slice of the day."""
        assert self._writer is not None
        self._flush()
        self._wait()
        self._writer.close()
        self._writer = None
        self.bytes += self._path.stat().st_size

    def _hold(self, table: pa.Table) -> None:
        self._held.append(table)
        self._held_rows += table.num_rows
        if self._held_rows >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        assert self._writer is not None
        if self._held_rows:
            self._wait()
            self._writing = self._pen.submit(_write, self._writer, self.schema, self._held)
        self.rows += self._held_rows
        self._held, self._held_rows = [], 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None


def _write(writer: pq.ParquetWriter, schema: pa.Schema, tables: list[pa.Table]) -> None:
    writer.write_table(
        pa.concat_tables([table.cast(schema) for table in tables]), row_group_size=ROW_GROUP * 2
    )
