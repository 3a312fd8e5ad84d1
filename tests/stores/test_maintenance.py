"""Maintenance removes what nobody refers to, after its grace, and nothing else."""

import signal
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamelake.clock import FixedClock, SystemClock
from gamelake.errors import NotFoundError
from gamelake.model.runs import RunState
from gamelake.stores import maintenance
from gamelake.stores.iceberg import all_files
from lake_world import DATASET, NIGHT, OTHER, OUTPUT, finish, night, open_world, remove_and_die, start

DAY = 86_400.0


@pytest.fixture
def world(tmp_path):
    clock = FixedClock(SystemClock().now())
    with open_world(tmp_path, clock=clock, keep_snapshots=2) as made:
        yield made


def plan(world, grace=DAY, keep_versions=2):
    return maintenance.plan_orphans(
        world.lake, world.ledger, grace=grace, keep_versions=keep_versions, clock=world.clock
    )


def remove(world, grace=DAY, keep_versions=2):
    return maintenance.remove_orphans(
        world.lake, world.ledger, grace=grace, keep_versions=keep_versions, clock=world.clock, owner="me"
    )


def data_files(world):
    return {str(path) for path in world.lake.table_folder(DATASET).rglob("*.parquet")}


def test_an_abandoned_staged_file_goes_after_the_grace(world):
    abandoned = world.stage(NIGHT, [1]).files[0].path
    world.publish(world.stage(OTHER, [2]))
    assert plan(world) == []

    world.clock.advance(DAY + 60)
    planned = plan(world)
    assert [orphan.path for orphan in planned] == [abandoned]
    assert planned[0].dataset == DATASET
    assert planned[0].age > DAY
    assert Path(abandoned).exists()

    removed = remove(world)
    assert [orphan.path for orphan in removed] == [abandoned]
    assert not Path(abandoned).exists()
    assert world.numbers(OTHER) == [2]


def test_a_live_runs_staging_stays_until_it_ends(world):
    run_id = world.ledger.create_run("run", "slow", {})
    world.ledger.move_run(run_id, RunState.RUNNING)
    staged = world.stage(NIGHT, [1], run_id=run_id).files[0].path
    world.clock.advance(10 * DAY)
    assert plan(world) == []

    world.ledger.move_run(run_id, RunState.FAILED)
    assert [orphan.path for orphan in plan(world)] == [staged]


def test_kept_versions_stay_readable(world):
    receipts = [world.publish(world.stage(NIGHT, [number])) for number in range(6)]
    world.clock.advance(2 * DAY)

    remove(world, keep_versions=4)

    kept = [file for receipt in receipts[2:] for part in receipt.slices for file in part.files]
    assert data_files(world) == set(kept)
    versions = world.ledger.versions(DATASET, NIGHT)
    world.publish(world.lake.restage(versions[3]))
    assert world.numbers(NIGHT) == [2]
    with pytest.raises(NotFoundError):
        world.lake.restage(versions[-1])


def test_the_grace_of_a_version_starts_when_it_ceases_to_be_kept(world):
    first = world.publish(world.stage(NIGHT, [0]))
    world.clock.advance(30 * DAY)
    for number in range(1, 7):
        world.publish(world.stage(NIGHT, [number]))

    assert first.slices[0].files[0] not in {orphan.path for orphan in plan(world)}

    world.clock.advance(DAY + 1)
    assert first.slices[0].files[0] in {orphan.path for orphan in plan(world)}


def test_what_an_unrecorded_receipt_refers_to_stays(world):
    world.publish(world.stage(OTHER, [1]), record=False)
    for number in range(8):
        world.publish(world.stage(NIGHT, [number]))
    world.clock.advance(9 * DAY)

    remove(world, keep_versions=1)

    assert world.numbers(OTHER) == [1]


def test_old_metadata_goes_and_the_table_still_works(world):
    for number in range(30):
        world.publish(world.stage(NIGHT, [number]))
    folder = world.lake.table_folder(DATASET) / "metadata"
    before = len(list(folder.iterdir()))
    world.clock.advance(2 * DAY)

    removed = remove(world)

    assert len(list(folder.iterdir())) < before / 2
    assert len({orphan.path for orphan in removed}) == len(removed)
    assert world.lake.iceberg_table(DATASET).scan().to_arrow()["n"].to_pylist() == [29]
    world.publish(world.stage(NIGHT, [30]))
    # each commit pushes one entry out of the table's own log of metadata files
    assert all(orphan.path.endswith(".metadata.json") for orphan in remove(world))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.integers(0, 2)),
            st.tuples(st.just("unrecorded"), st.integers(0, 2)),
            st.tuples(st.just("clear"), st.integers(0, 2)),
            st.tuples(st.just("back"), st.integers(0, 2)),
            st.tuples(st.just("abandon"), st.integers(0, 2)),
            st.tuples(st.just("maintain"), st.integers(1, 3)),
        ),
        max_size=12,
    )
)
def test_whatever_happens_nothing_referred_to_is_removed(tmp_path_factory, steps):
    clock = FixedClock(SystemClock().now())
    with open_world(tmp_path_factory.mktemp("lake"), clock=clock, keep_snapshots=2) as world:
        expected = {}
        for number, (action, which) in enumerate(steps):
            part = night(f"2026-02-0{which + 1}")
            if action in {"publish", "unrecorded"}:
                world.publish(world.stage(part, [number]), record=action == "publish")
                expected[part] = [number]
            elif action == "clear":
                world.publish(world.empty(part))
                expected[part] = []
            elif action == "abandon":
                world.stage(part, [number])
            elif action == "back" and (versions := world.ledger.versions(DATASET, part)):
                receipt = world.publish(world.lake.restage(versions[-1 if len(versions) < 2 else 1]))
                expected[part] = world.numbers(receipt.slices[0].slice)
            elif action == "maintain":
                clock.advance(2 * DAY)
                remove(world, keep_versions=2)
            assert {part: world.numbers(part) for part in expected} == expected
        files = {file for part in world.lake.current(DATASET).values() for file in part.files}
        assert all_files(world.lake.iceberg_table(DATASET)) == files
        assert all(Path(file).exists() for file in files)
        for versions in [world.ledger.versions(DATASET, part)[:2] for part in expected]:
            assert all(Path(file).exists() for version in versions for file in version.files)


@pytest.mark.parametrize("failpoint", ["maintenance.before_delete", "maintenance.mid_delete"])
def test_killed_at(tmp_path, failpoint):
    with open_world(tmp_path) as world:
        world.publish(world.stage(NIGHT, [1]))
        for number in range(3):
            world.stage(NIGHT, [number])

    assert finish(start(remove_and_die, str(tmp_path), failpoint)) == -signal.SIGKILL

    with open_world(tmp_path, clock=FixedClock(SystemClock().now() + timedelta(days=4))) as world:
        remove(world)
        assert world.numbers(NIGHT) == [1]
        assert len(data_files(world)) == 1


def test_small_files_of_a_slice_become_one(world):
    staged = world.stage(NIGHT, list(range(20)), note="x", files=5)
    world.publish(staged, world.stage(OTHER, [1]))
    inputs = world.ledger.current(DATASET)[NIGHT].inputs

    planned = maintenance.plan_compaction(world.lake)
    assert [(plan.slice, plan.files, plan.rows, plan.version) for plan in planned] == [(NIGHT, 5, 20, 0)]
    run_id = world.ledger.create_run("maintenance", "compact", {})
    (done,) = maintenance.compact(world.lake, world.ledger, planned, run_id=run_id, receipt_id="c")

    assert done.version == 2
    current = world.lake.current(DATASET)[NIGHT]
    assert len(current.files) == 1
    assert world.numbers(NIGHT) == list(range(20))
    assert current.content_hash == staged.content_hash
    assert world.ledger.current(DATASET)[NIGHT].inputs == inputs
    assert maintenance.plan_compaction(world.lake) == []
    assert world.lake.schema(DATASET) == OUTPUT.schema


def test_a_slice_that_changed_since_is_not_compacted(world):
    world.publish(world.stage(NIGHT, list(range(4)), files=2))
    planned = maintenance.plan_compaction(world.lake)
    world.publish(world.stage(NIGHT, [7]))

    assert maintenance.compact(world.lake, world.ledger, planned, run_id="run", receipt_id="c") == []
    assert world.numbers(NIGHT) == [7]
