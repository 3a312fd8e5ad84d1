"""Several processes and threads at one table: nothing lost, nothing doubled, nothing half seen."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet as pq
import pytest
from pyiceberg.exceptions import CommitFailedException

from gamelake.errors import ConflictError, LeaseLostError, StoreError
from gamelake.ledger.rows import Lease
from gamelake.stores.base import lease_name
from gamelake.stores.iceberg import all_files
from lake_world import DATASET, NIGHT, OTHER, OUTPUT, finish, night, publish_many, start


def test_processes_publishing_the_same_slice_take_turns(world):
    writers = [start(publish_many, str(world.folder), NIGHT, [number], 6) for number in (1, 2)]
    assert [finish(writer) for writer in writers] == [0, 0]

    versions = world.ledger.versions(DATASET, NIGHT)
    assert sorted(version.version for version in versions) == list(range(1, 13))
    newest = world.lake.current(DATASET)[NIGHT]
    assert newest.version == 12
    assert world.numbers(NIGHT) in ([1], [2])
    assert all_files(world.lake.iceberg_table(DATASET)) == set(newest.files)


def test_processes_publishing_different_slices_all_succeed(world):
    nights = [night(f"2026-03-{day:02d}") for day in range(1, 4)]
    writers = [
        start(publish_many, str(world.folder), part, [number], 4) for number, part in enumerate(nights)
    ]
    assert [finish(writer) for writer in writers] == [0, 0, 0]

    assert [world.numbers(part) for part in nights] == [[0], [1], [2]]
    assert {part.version for part in world.lake.current(DATASET).values()} == {4}


def test_a_reader_never_sees_a_part_of_a_publish(world):
    """Both nights are always published together with the same single number."""
    world.publish(world.stage(NIGHT, [0]), world.stage(OTHER, [0]))
    writer = ThreadPoolExecutor(1).submit(_publish_pairs, world, 15)
    seen = set()
    while not writer.done():
        files = world.lake.files(DATASET)
        pair = [
            [n for file in files[part] for n in pq.read_table(file, columns=["n"])["n"].to_pylist()]
            for part in (NIGHT, OTHER)
        ]
        assert pair[0] == pair[1]
        assert len(pair[0]) == 1
        seen.add(pair[0][0])
    writer.result()

    assert len(seen) > 1


def _publish_pairs(world, times):
    for number in range(1, times + 1):
        world.publish(world.stage(NIGHT, [number]), world.stage(OTHER, [number]))


def test_threads_share_a_lake(world):
    nights = [night(f"2026-04-{day:02d}") for day in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: world.publish(world.stage(part, [1, 2])), nights))

    assert set(world.lake.files(DATASET)) == set(nights)


def test_creating_a_lake_at_once_in_many_threads_makes_one(tmp_path, world):
    from gamelake.stores.lake import Lake

    lakes = [Lake(tmp_path / "fresh", clock=world.clock) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda lake: lake.ensure_table(OUTPUT), lakes))

    assert lakes[0].datasets() == [DATASET]
    for lake in lakes:
        lake.close()


class Overtaken:
    """A lease lost just before the swap: the first looks succeed, the last does not."""

    def __init__(self, looks: int) -> None:
        self.name, self.token, self.looks = "table", 1, looks

    def check(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise LeaseLostError("lost")


def commit(world, lease: Lease, *staged):
    return world.lake.commit(OUTPUT, staged, receipt_id="r", run_id="run", step="step", lease=lease)


def test_a_writer_whose_lease_was_taken_changes_nothing(world):
    world.publish(world.stage(NIGHT, [1]))

    with pytest.raises(LeaseLostError):
        commit(world, Overtaken(1), world.stage(NIGHT, [2]))

    assert world.numbers(NIGHT) == [1]


def test_a_writer_overtaken_between_plan_and_swap_plans_again(world, monkeypatch):
    """Somebody commits after our last look at the lease: our swap fails, and we start from theirs."""
    real = world.lake.catalog.commit_table
    state = {"first": True}

    def overtaken(table, requirements, updates):
        if state.pop("first", None):
            world.publish(world.stage(NIGHT, [7]), world.stage(OTHER, [7]))
        return real(table, requirements, updates)

    monkeypatch.setattr(world.lake.catalog, "commit_table", overtaken)
    receipt = commit(world, Overtaken(9), world.stage(NIGHT, [2]))

    assert receipt.slices[0].version == 2
    assert (world.numbers(NIGHT), world.numbers(OTHER)) == ([2], [7])
    assert all_files(world.lake.iceberg_table(DATASET)) == {
        file for part in world.lake.current(DATASET).values() for file in part.files
    }


def test_a_table_that_changes_all_the_time_is_given_up(world, monkeypatch):
    def never(table, requirements, updates):
        raise CommitFailedException("changed")

    monkeypatch.setattr("gamelake.stores.commit._FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(world.lake.catalog, "commit_table", never)

    with pytest.raises(ConflictError, match="changed 6 times while we tried to commit"):
        commit(world, Overtaken(99), world.stage(NIGHT, [1]))

    assert world.lake.current(DATASET) == {}


def test_a_commit_that_landed_behind_an_error_is_found_again(world, monkeypatch):
    real = world.lake.catalog.commit_table

    def answer_lost(table, requirements, updates):
        real(table, requirements, updates)
        raise OSError("the answer was lost")

    monkeypatch.setattr(world.lake.catalog, "commit_table", answer_lost)
    receipt = commit(world, Overtaken(9), world.stage(NIGHT, [1]))

    assert world.lake.receipts(DATASET) == [receipt]


def test_a_commit_that_did_not_land_says_so(world, monkeypatch):
    def full(table, requirements, updates):
        raise OSError("no space left on device")

    monkeypatch.setattr(world.lake.catalog, "commit_table", full)
    with pytest.raises(StoreError, match=r"commit to `wow.gold.fact` failed: no space left on device"):
        commit(world, Overtaken(9), world.stage(NIGHT, [1]))


def test_the_lease_of_a_table_is_named_after_it():
    assert lease_name(DATASET) == "table:wow.gold.fact"
