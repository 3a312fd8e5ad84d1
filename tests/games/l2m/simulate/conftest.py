"""Small simulated games, written and read once per run."""

from __future__ import annotations

from functools import cache

import pytest

from l2m_source import Game, simulator
from reference.l2m import Reading


@pytest.fixture(scope="session")
def game(tmp_path_factory):
    @cache
    def made(scenario: str, seed: int, users: int = 300) -> Game:
        folder = tmp_path_factory.mktemp("game") / "source"
        of = simulator(scenario=scenario, seed=seed, users=users)
        of.write(folder)
        return Game(folder, of, Reading(folder))

    return made
