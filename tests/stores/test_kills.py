"""kill −9 at every failpoint of a commit; whoever comes next finds all of it or nothing, and can finish."""

import signal

import pytest

from gamelake.model.runs import RunState
from gamelake.stores.iceberg import all_files
from gamelake.stores.recovery import record_missing
from lake_world import DATASET, NIGHT, OTHER, finish, open_world, publish_and_die, start

BEFORE = ("publish.before_verify", "publish.before_commit", "publish.in_commit")
AFTER = ("publish.after_commit", "ledger.before_commit:5")


@pytest.mark.parametrize("failpoint", [*BEFORE, *AFTER])
def test_killed_at(tmp_path, failpoint):
    with open_world(tmp_path) as world:
        world.publish(world.stage(NIGHT, [1]))

    assert finish(start(publish_and_die, str(tmp_path), failpoint, "r2", [2, 3])) == -signal.SIGKILL

    with open_world(tmp_path) as world:
        landed = failpoint in AFTER
        assert (world.numbers(NIGHT), world.numbers(OTHER)) == (([2, 3], [2, 3]) if landed else ([1], []))
        assert not world.ledger.has_receipt("r2")
        assert (world.lake.find_receipt(DATASET, "r2") is not None) == landed

        found = record_missing(world.lake, world.ledger, DATASET)
        assert [receipt.id for receipt in found] == (["r2"] if landed else [])
        assert record_missing(world.lake, world.ledger, DATASET) == []

        # the lease of a dead process is free at once, and the same receipt id commits once
        receipt = world.publish(world.stage(NIGHT, [2, 3]), world.stage(OTHER, [2, 3]), receipt_id="r2")
        assert [part.version for part in receipt.slices] == [2, 1]
        assert (world.numbers(NIGHT), world.numbers(OTHER)) == ([2, 3], [2, 3])
        assert {part.version for part in world.ledger.current(DATASET).values()} == {2, 1}
        files = {file for part in world.lake.current(DATASET).values() for file in part.files}
        assert all_files(world.lake.iceberg_table(DATASET)) == files


def test_the_run_of_a_killed_process_is_interrupted_without_waiting_for_its_lease(tmp_path):
    assert (
        finish(start(publish_and_die, str(tmp_path), "publish.before_commit", "r1", [1])) == -signal.SIGKILL
    )

    with open_world(tmp_path) as world:
        (run,) = world.ledger.runs()
        assert run.state is RunState.RUNNING

        assert world.ledger.interrupt_dead_runs() == [run.id]
        assert world.ledger.run(run.id).state is RunState.INTERRUPTED
        assert world.ledger.run(run.id).error == {
            "code": "interrupted",
            "problem": "the process of this run died",
        }
