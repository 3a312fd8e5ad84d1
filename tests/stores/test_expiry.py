"""Snapshots go, receipts the ledger needs stay, and the table's state is the same before and after."""

import json
from pathlib import Path

import pytest

from gamelake.errors import StoreError
from gamelake.stores import maintenance
from gamelake.stores.iceberg import all_files
from gamelake.stores.lake import Lake
from lake_world import DATASET, NIGHT, OTHER, OUTPUT, night, open_world


@pytest.fixture
def world(tmp_path):
    with open_world(tmp_path, keep_snapshots=3) as made:
        yield made


def test_commits_keep_the_number_of_snapshots_small(world):
    world.publish(world.stage(OTHER, [9]))
    for number in range(12):
        world.publish(world.stage(NIGHT, [number]))
        assert len(world.lake.head(DATASET).snapshots) <= 6

    assert world.numbers(NIGHT) == [11]
    assert world.numbers(OTHER) == [9]  # its snapshot is long gone
    assert world.lake.current(DATASET)[OTHER].version == 1
    assert world.publish(world.stage(OTHER, [8])).slices[0].version == 2


def test_manifests_stay_few(world):
    for number in range(40):
        world.publish(world.stage(night(f"2026-05-{1 + number % 25:02d}"), [number]))

    table = world.lake.iceberg_table(DATASET)
    assert len(table.current_snapshot().manifests(table.io)) <= 18
    assert len(all_files(table)) == 25


def test_a_receipt_the_ledger_has_not_recorded_stays(world):
    lost = world.publish(world.stage(OTHER, [1]), record=False)
    for number in range(12):
        world.publish(world.stage(NIGHT, [number]))

    assert world.lake.find_receipt(DATASET, lost.id) == lost
    assert world.numbers(OTHER) == [1]

    world.ledger.record_publish(lost)
    for number in range(6):
        world.publish(world.stage(NIGHT, [number]))
    assert world.lake.find_receipt(DATASET, lost.id) is None


def test_a_long_receipt_lies_beside_the_metadata(world):
    many = [world.stage(night(f"2026-06-{day:02d}"), [day]) for day in range(1, 21)]

    receipt = world.publish(*many)

    head = world.lake.head(DATASET)
    assert "gamelake.receipt" not in head.snapshots[-1].summary
    (side_file,) = head.side_files()
    assert json.loads(Path(side_file).read_text(encoding="utf-8"))["id"] == receipt.id
    assert world.lake.receipts(DATASET) == [receipt]
    assert len(world.lake.files(DATASET)) == 20


def test_a_changed_receipt_file_is_noticed(world):
    world.publish(*[world.stage(night(f"2026-06-{day:02d}"), [day]) for day in range(1, 21)])
    (side_file,) = world.lake.head(DATASET).side_files()
    Path(side_file).write_text("{}", encoding="utf-8")

    with pytest.raises(StoreError, match=r"a file of table `wow.gold.fact` was changed after it was written"):
        world.lake.files(DATASET)


def test_a_missing_receipt_file_is_noticed(world):
    world.publish(*[world.stage(night(f"2026-06-{day:02d}"), [day]) for day in range(1, 21)])
    (side_file,) = world.lake.head(DATASET).side_files()
    Path(side_file).unlink()

    with pytest.raises(StoreError, match=r"a file of table `wow.gold.fact` is missing"):
        world.lake.files(DATASET)


def test_expiring_by_hand_reports_what_it_did(world):
    for number in range(5):
        world.publish(world.stage(NIGHT, [number]))

    (told,) = maintenance.expire_snapshots(world.lake, world.ledger, owner="me")

    assert (told.expired, told.kept, told.held_back) == (2, 3, 0)
    assert world.numbers(NIGHT) == [4]
    (again,) = maintenance.expire_snapshots(world.lake, world.ledger, owner="me")
    assert (again.expired, again.kept) == (0, 3)


def test_expiring_by_hand_records_what_the_ledger_lacks_first(world):
    world.publish(world.stage(OTHER, [1]), receipt_id="lost", record=False)
    for number in range(4):
        world.publish(world.stage(NIGHT, [number]))

    maintenance.expire_snapshots(world.lake, world.ledger, owner="me")

    assert world.ledger.has_receipt("lost")
    assert world.lake.find_receipt(DATASET, "lost") is None


def test_a_tagged_snapshot_stays(world):
    world.publish(world.stage(NIGHT, [0]))
    table = world.lake.iceberg_table(DATASET)
    tagged = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(tagged, "release").commit()
    for number in range(1, 12):
        world.publish(world.stage(NIGHT, [number]))

    head = world.lake.head(DATASET)
    assert tagged in {snapshot.id for snapshot in head.snapshots}
    assert world.numbers(NIGHT) == [11]


def test_a_change_by_another_tool_is_noticed(world):
    world.publish(world.stage(NIGHT, [1]))
    world.lake.iceberg_table(DATASET).delete("n = 1")

    with pytest.raises(StoreError, match=r"`wow.gold.fact` was changed by something else than gamelake"):
        world.lake.files(DATASET)


def test_iceberg_readers_see_the_same_rows(world):
    world.publish(world.stage(NIGHT, [1, 2]), world.stage(OTHER, [3]))
    world.publish(world.stage(NIGHT, [4, 5, 6]))

    table = world.lake.iceberg_table(DATASET)

    assert sorted(table.scan().to_arrow()["n"].to_pylist()) == [3, 4, 5, 6]
    assert sorted(table.scan("raid_date = '2026-02-17'").to_arrow()["n"].to_pylist()) == [3]
    assert [column.name for column in OUTPUT.schema.columns] == [
        field.name for field in table.schema().fields
    ]


def test_a_lake_may_be_reached_by_another_path(world, tmp_path):
    world.publish(world.stage(NIGHT, [1]))
    tmp_path.with_name("link").symlink_to(tmp_path)

    assert list(Lake(tmp_path.with_name("link") / "lake", clock=world.clock).files(DATASET)) == [NIGHT]
