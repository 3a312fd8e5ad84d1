"""Compile every kernel once, so that the first log is read without waiting."""

from __future__ import annotations

import tempfile
from pathlib import Path

_SAMPLE = (
    '1/7/2026 20:00:00.0000  ENCOUNTER_START,1,"A",14,1,1\r\n'
    '1/7/2026 20:00:01.0000  SPELL_DAMAGE,Player-1-1,"A-B",0x511,0x0,Creature-0-1-1-1-1-1,"A",0xa48,0x0,1,"S",0x1,'
    "Creature-0-1-1-1-1-1,0000000000000000,90,100,0,0,0,0,0,0,0,0,0,0,0.0,0.0,1,0.0,80,10,10,-1,1,0,0,0,nil,nil,nil,ST\r\n"
    '1/7/2026 20:00:02.0000  ENCOUNTER_END,1,"A",14,1,1,2000\r\n'
)


def warm() -> None:
    """Read a three-line log; returns when all kernels are compiled or loaded."""
    import numpy as np

    from gamelake.games.wow.events import NightTables, day_of
    from gamelake.games.wow.kernels import split
    from gamelake.games.wow.night import LogPart, Night
    from gamelake.games.wow.reader import LogFile

    with tempfile.TemporaryDirectory(prefix="gamelake-") as folder:
        path = Path(folder) / "sample.txt"
        path.write_text(_SAMPLE, newline="")
        file = LogFile(path)
        night = Night([LogPart("sample", "0", file.batches)])
        for _ in NightTables(night, day=day_of(20_000), team="").events():
            pass
        for batch in file.batches():
            packed = np.empty(batch.data.size + 8, np.uint8)
            split.copy_lines(batch.data, batch.starts, batch.ends, packed, np.empty(len(batch) + 1, np.int32))
            split.text_problems(batch.data, batch.starts, batch.ends, np.empty(len(batch), np.uint8))
            split.identities(batch.data, batch.starts, batch.ends, batch.times, batch.low, batch.high)


if __name__ == "__main__":
    warm()
