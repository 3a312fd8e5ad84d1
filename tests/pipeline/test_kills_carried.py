"""A backfill of five days and six jobs, killed at every failpoint, ends as an undisturbed one."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from gamelake import failpoints
from gamelake.jobs.local import run_now
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.plan import plan
from lake_world import finish, start
from modes_project import create, five_days, import_days, open_modes, tables, twin

NAMES = sorted(
    name for name in failpoints.ALL if not name.startswith(("maintenance.", "target.", "schedules."))
)
BACKFILL = RunRequest(("toy",), days=("2026-01-01", "2026-01-05"))


@pytest.fixture
def root(tmp_path):
    made = create(tmp_path / "toy")
    with open_modes(made) as project:
        import_days(project, five_days())
    return made


def backfill_and_die(root: str, failpoint: str) -> None:
    """Child: fill five days, and be killed at the failpoint."""
    with open_modes(Path(root)) as project:
        os.environ[failpoints.VARIABLE] = failpoint
        run_now(project, BACKFILL)


def check_whole(root: Path) -> None:
    """Go on; everything is there, ledger and lake agree, and nothing is left to do."""
    with open_modes(root) as project:
        assert run_now(project, BACKFILL).error is None
        assert tables(project) == twin(five_days())
        assert plan(project).work == ()
        for dataset in project.graph.outputs:
            lake = {part: (p.version, p.rows) for part, p in project.lake.current(dataset).items()}
            known = {part: (v.version, v.rows) for part, v in project.ledger.current(dataset).items()}
            assert lake == known


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_backfill_goes_on_to_the_same_tables(root, name) -> None:
    count = 40 if name.startswith("ledger.") else 4
    child = start(backfill_and_die, str(root), f"{name}:{count}")
    assert finish(child) == -9

    check_whole(root)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(60))
def test_a_backfill_killed_again_and_again_ends_the_same(root, seed) -> None:
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 5)):
        name = draw.choice(NAMES)
        finish(start(backfill_and_die, str(root), f"{name}:{draw.randint(1, 60)}"))

    check_whole(root)
