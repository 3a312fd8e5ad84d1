"""Publishers killed at random for a while: no row lost, none doubled, versions without gaps."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from gamelake.model.runs import RunState
from gamelake.stores import maintenance
from gamelake.stores.iceberg import all_files
from gamelake.stores.recovery import record_missing
from lake_world import DATASET, finish, night, open_world, start

SECONDS = float(os.environ.get("GAMELAKE_CHAOS_SECONDS", "30"))
NIGHTS = [night(f"2026-07-{day:02d}") for day in range(1, 5)]


def publish_until_killed(folder, seed):
    """Child: a version of a night always holds one number, many times; what it says is said before and after."""
    chance = random.Random(seed)
    with open_world(Path(folder), keep_snapshots=3) as world:
        run_id = world.ledger.create_run("run", "chaos", {})
        world.ledger.move_run(run_id, RunState.RUNNING)
        while True:
            world.ledger.heartbeat(run_id)
            world.ledger.interrupt_dead_runs()
            record_missing(world.lake, world.ledger, DATASET)
            parts = chance.sample(NIGHTS, chance.randint(1, 3))
            number = chance.randrange(1000)
            staged = [
                world.stage(part, [number] * 20, run_id=run_id, files=chance.randint(1, 3)) for part in parts
            ]
            world.publish(*staged, run_id=run_id)
            if chance.random() < 0.1:
                maintenance.remove_orphans(
                    world.lake,
                    world.ledger,
                    grace=0.5,
                    keep_versions=3,
                    clock=world.clock,
                    owner=run_id,
                )


@pytest.mark.chaos
def test_killed_at_random(tmp_path):
    chance = random.Random(20260216)
    children, kills, started = [], 0, 0
    deadline = time.monotonic() + SECONDS
    with open_world(tmp_path, keep_snapshots=3) as world:
        while time.monotonic() < deadline:
            while len(children) < 3:
                started += 1
                children.append(start(publish_until_killed, str(tmp_path), started))
            for part in world.lake.files(DATASET):
                assert_whole(world, part)
            time.sleep(chance.uniform(0.05, 0.6))
            victim = children.pop(chance.randrange(len(children)))
            assert victim.is_alive(), "a publisher failed by itself"
            os.kill(victim.pid, signal.SIGKILL)
            assert finish(victim) == -signal.SIGKILL
            kills += 1
        for child in children:
            child.kill()
            finish(child)

        record_missing(world.lake, world.ledger, DATASET)
        current = world.lake.current(DATASET)
        for part in current:
            assert_whole(world, part)
            versions = [version.version for version in world.ledger.versions(DATASET, part)]
            assert sorted(versions) == list(range(1, current[part].version + 1))
            assert world.ledger.current(DATASET)[part].files == current[part].files
        assert all_files(world.lake.iceberg_table(DATASET)) == {
            file for part in current.values() for file in part.files
        }
        published = sum(part.version for part in current.values())
    print(f"{kills} kills, {published} versions of {len(current)} slices in {SECONDS:.0f} seconds")  # noqa: T201


def assert_whole(world, part):
    try:
        numbers = world.numbers(part)
    except FileNotFoundError:
        return  # a reader slower than the grace, half a second here: it would ask again
    assert len(numbers) == 20
    assert len(set(numbers)) == 1
