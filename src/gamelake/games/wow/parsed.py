"""One batch of lines through the kernel: what each line is, and a row per event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from gamelake.games.wow.kernels import parse, shapes

if TYPE_CHECKING:
    import numpy.typing as npt

    from gamelake.games.wow.reader import LineBatch
    from gamelake.games.wow.strings import Strings

    Ints = npt.NDArray[np.int64]


class EventRows(NamedTuple):
    """Rows of event lines and landed swings: the kernel's columns, and what belongs to each row."""

    rows: Ints  # shape (shapes.COLUMNS, events): a column's values lie side by side
    amounts: npt.NDArray[np.float64]
    times: Ints
    low: npt.NDArray[np.uint64]
    high: npt.NDArray[np.uint64]
    occurrences: Ints
    numbers: Ints  # line number within the part
    places: Ints  # position within the stretch
    pulls: Ints  # index into `Night.pulls`, −1 outside and as long as nobody knows

    def chosen(self, rows: npt.NDArray[np.bool_]) -> Self:
        """The rows of a mask."""
        if rows.all():
            return self
        places = np.flatnonzero(rows)
        columns: list[npt.NDArray[Any]] = [
            column.take(places, -1 if column is self.rows else 0) for column in self
        ]
        return type(self)(*columns)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(column.nbytes for column in self)


class BatchParser:
    """Runs the kernel over batches; its buffers are used again and again (fresh ones cost more than the parsing)."""

    def __init__(self, strings: Strings) -> None:
        self._strings = strings
        self._resize(0)

    def parse(self, batch: LineBatch, place: int) -> tuple[npt.NDArray[np.uint8], Ints, EventRows]:
        """Categories and names of all lines (valid until the next call), and the event rows (to keep).

        `place` is the position of the batch's first line within its stretch.
        """
        count = len(batch)
        if count > self._categories.size:
            self._resize(count)
        strings = self._strings
        line = filled = 0
        while line < count:
            strings.ensure(int(batch.ends[line] - batch.starts[line]))
            line, filled = parse.parse_lines(
                batch.data, batch.starts, batch.ends, batch.times, line, shapes.KINDS, shapes.PREFIXES,
                self._categories, self._names, self._rows, self._amounts, strings.owners,
                strings.recorders, strings.slots, strings.arena, strings.offsets, strings.used, filled,
            )  # fmt: skip
        rows = self._rows[:, :filled].copy()
        lines = rows[shapes.C_LINE]
        events = EventRows(
            rows=rows,
            amounts=self._amounts[:filled].copy(),
            times=batch.times[lines],
            low=batch.low[lines],
            high=batch.high[lines],
            occurrences=batch.occurrences[lines],
            numbers=lines + batch.first_line,
            places=lines + place,
            pulls=np.full(filled, -1, np.int64),
        )
        return self._categories[:count], self._names[:count], events

    def _resize(self, count: int) -> None:
        self._categories = np.empty(count, np.uint8)
        self._names = np.empty(count, np.int64)
        self._rows = np.empty((shapes.COLUMNS, count), np.int64)
        self._amounts = np.empty((count, 2), np.float64)
