"""Small simulated seasons, written once per run, and the twin's reading of every night."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from gamelake.games.wow.simulate import Night, WowSimulator
from reference import combatlog

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = (1, 7, 42)


@dataclass
class Season:
    simulator: WowSimulator
    nights: list[Night]
    truth: dict

    @cached_property
    def readings(self) -> list[combatlog.Reading]:
        return [combatlog.read(night.path.read_bytes()) for night in self.nights]

    @cached_property
    def lines(self) -> list[str]:
        """Lines of all nights, without their ends."""
        texts = (night.path.read_bytes().decode() for night in self.nights)
        return [line for text in texts for line in text.split("\r\n") if line]

    def pulls(self) -> list[tuple[combatlog.Encounter, dict]]:
        """(what the twin read, what happened) of every pull."""
        read = [encounter for reading in self.readings for encounter in reading.encounters]
        told = [pull for raid in self.truth["raids"] for pull in raid["pulls"]]
        return list(zip(read, told, strict=True))


def write_season(folder: Path, **settings) -> Season:
    simulator = WowSimulator(**{"nights": 3, "pulls": 5, "scale": 0.5, **settings})
    nights = simulator.write(folder)
    return Season(simulator, nights, json.loads((folder / "truth.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session", params=SEEDS, ids=lambda seed: f"seed{seed}")
def season(request, tmp_path_factory) -> Season:
    return write_season(tmp_path_factory.mktemp("season"), seed=request.param)
