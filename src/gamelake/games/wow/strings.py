"""A growing table of distinct strings; kernels see codes, Arrow sees a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gamelake.games.wow.kernels import shapes, text

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Bytes = npt.NDArray[np.uint8]


class Strings:
    """Distinct strings met so far; the first codes are the known subevents in their order."""

    def __init__(self) -> None:
        self.slots = np.zeros(1 << 14, np.int64)
        self.arena = np.empty(1 << 18, np.uint8)
        self.offsets = np.zeros(1 << 13, np.int64)
        self.used = np.zeros(1, np.int64)
        # owners[code]: unit that owns this one, as seen in an advanced block (0) or by a summon (1); its name (2)
        self.owners = np.full((1 << 13, 3), shapes.NONE, np.int64)
        # recorders[code]: event lines whose source is the player who keeps the log
        self.recorders = np.zeros(1 << 13, np.int64)
        for name, _ in shapes.KNOWN:
            self.code(name)

    def __len__(self) -> int:
        return int(self.used[0])

    def code(self, word: str) -> int:
        """Code of a string, added when new."""
        data = np.frombuffer(word.encode(), np.uint8)
        self.ensure(data.size)
        return int(text.intern_one(data, self.slots, self.arena, self.offsets, self.used))

    def __getitem__(self, code: int) -> str:
        return bytes(self.arena[self.offsets[code] : self.offsets[code + 1]]).decode()

    def ensure(self, line_bytes: int) -> None:
        """Make room for the strings of at least one line of this length."""
        if (self.used[0] + 32) * 2 >= self.slots.size:
            self.slots = np.zeros(self.slots.size * 4, np.int64)
            text.rehash(self.slots, self.arena, self.offsets, int(self.used[0]))
            size = self.slots.size // 2
            self.offsets = _longer(self.offsets, size, 0)
            self.recorders = _longer(self.recorders, size, 0)
            owners = np.full((size, 3), shapes.NONE, np.int64)
            owners[: self.owners.shape[0]] = self.owners
            self.owners = owners
        needed = int(self.offsets[self.used[0]]) + line_bytes + 64
        if needed >= self.arena.size:
            self.arena = _longer(self.arena, max(self.arena.size * 2, needed * 2), 0)

    def array(self) -> pa.Array:
        """All strings as one Arrow array, position = code."""
        count = len(self)
        offsets = self.offsets[: count + 1].astype(np.int32)
        buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(self.arena[: offsets[-1]].tobytes())]
        return pa.StringArray.from_buffers(count, buffers[1], buffers[2])

    def dictionary(self, codes: Ints) -> pa.DictionaryArray:
        """Codes as a dictionary column that holds only the strings it uses; NONE is null."""
        present = np.zeros(len(self) + 1, bool)
        present[codes] = True  # NONE marks the last, spare place
        present[-1] = False
        chosen = np.flatnonzero(present)
        places = np.zeros(len(self) + 1, np.int32)  # Arrow also looks at the index behind a null
        places[chosen] = np.arange(chosen.size, dtype=np.int32)
        values = self.array().take(pa.array(chosen))
        indices = pa.array(places[codes], mask=codes < 0)
        return pa.DictionaryArray.from_arrays(indices, values)


def _longer(array: npt.NDArray[Any], size: int, fill: int) -> npt.NDArray[Any]:
    longer = np.full(size, fill, array.dtype)
    longer[: array.size] = array
    return longer
