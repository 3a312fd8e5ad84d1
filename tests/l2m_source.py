"""A small simulated L2M source for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from gamelake.games.l2m.simulate import L2mSimulator
from reference.l2m import Reading

START = date(2024, 12, 27)  # the sixth day lies in another month


@dataclass
class Game:
    folder: Path
    simulator: L2mSimulator
    reading: Reading

    def truth(self, name: str) -> list[dict[str, Any]]:
        return pq.read_table(self.folder / "truth" / f"{name}.parquet").to_pylist()


def simulator(**settings: Any) -> L2mSimulator:
    return L2mSimulator(**{"users": 300, "days": 9, "start": START, "scale": 0.6, **settings})
