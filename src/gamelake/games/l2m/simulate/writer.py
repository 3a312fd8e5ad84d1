"""The folder of the source: one Parquet file for each table and day of arrival, written as the days pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake.games.l2m.simulate.columns import SCHEMAS, to_table

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from gamelake.games.l2m.simulate.arrival import Delivery
    from gamelake.games.l2m.simulate.state import World

ROW_GROUP = 1 << 19
FILE = "part-00000.parquet"


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Texts with dictionaries stay plain text for readers: no Arrow schema is stored."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, store_schema=False)


def write_table(path: Path, table: pa.Table) -> None:
    """A small table as one file."""
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table)


class Shelf:
    """One source table: today's slice is open, rows of later slices wait in memory."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self.schema = name, SCHEMAS[name]
        self.rows = 0
        self.bytes = 0
        self._root = root / name
        self._waiting: dict[int, list[pa.Table]] = {}
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._path = self._root

    def open(self, day: int, date: date) -> None:
        """Begin a slice with the rows that waited for it; it is written even when it stays empty."""
        self._path = self._root / f"ds={date}" / FILE
        self._writer = parquet_writer(self._path, self.schema)
        for table in self._waiting.pop(day, []):
            self._hold(table)

    def put(self, world: World, day: int, block: int, delivery: Delivery) -> None:
        for ds in sorted(set(delivery.ds.tolist())):
            table = to_table(
                world, self.name, day, block, delivery.rows.take((delivery.ds == ds).nonzero()[0])
            )
            if ds == day:
                self._hold(table)
            else:
                self._waiting.setdefault(ds, []).append(table.cast(self.schema))

    def close(self) -> None:
        """End the slice of the day."""
        assert self._writer is not None
        self._flush()
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
            whole = pa.concat_tables([table.cast(self.schema) for table in self._held])
            self._writer.write_table(whole, row_group_size=ROW_GROUP * 2)
        self.rows += self._held_rows
        self._held, self._held_rows = [], 0
