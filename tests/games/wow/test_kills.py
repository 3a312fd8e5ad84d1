"""An import or a run killed anywhere: doing it again gives the gold of an undisturbed one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from gamelake import failpoints
from games.wow.raid_logs import gold_of_logs, raid_project, simulated, write
from lake_world import finish, start

# every failpoint once: some while lines are imported (the first hit), some in silver and gold
POINTS = [
    (name, 5 if at % 2 else 1)
    for at, name in enumerate(sorted(n for n in failpoints.ALL if n.startswith("publish.")))
]
POINTS = [
    (name, 5 if name == "publish.after_stage" else hit) for name, hit in POINTS
]  # imports stage by themselves


@cache
def season() -> bytes:
    return simulated(nights=2, pulls=2, scale=0.1, players=8)


def import_and_die(folder: str, failpoint: str) -> None:
    """Child: import and refine, and be killed on the way."""
    os.environ[failpoints.VARIABLE] = failpoint
    with raid_project(Path(folder)) as raids:
        raids.add(Path(folder) / "log.txt")


@pytest.mark.parametrize(("name", "hit"), POINTS, ids=str)
def test_gold_is_the_same_after_a_kill(tmp_path, name, hit) -> None:
    log = write(tmp_path, "log.txt", season())
    child = start(import_and_die, str(tmp_path), f"{name}:{hit}")
    assert finish(child) == -9

    with raid_project(tmp_path) as raids:
        raids.add(log)

        assert raids.gold() == gold_of_logs(log)
        assert raids.rows("SELECT count(*) FROM wow.bronze.combatlog") == [(season().count(b"\n"),)]
