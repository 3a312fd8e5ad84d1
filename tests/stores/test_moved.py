"""A lake goes on where its folder is moved to, and a copy of one never touches its original."""

import shutil
from hashlib import blake2b
from pathlib import Path

from gamelake.stores import maintenance
from lake_world import DATASET, NIGHT, OTHER, open_world


def fill(folder: Path) -> None:
    """A table with expired snapshots, replaced slices and many files, and its ledger."""
    with open_world(folder, keep_snapshots=3) as world:
        world.publish(world.stage(OTHER, [9, 8], files=2))
        for number in range(8):
            world.publish(world.stage(NIGHT, [number]))


def contents(folder: Path) -> dict[str, bytes]:
    """Digest of every file below, databases' side files apart."""
    return {
        str(path.relative_to(folder)): blake2b(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_a_moved_lake_is_read_and_written_where_it_is(tmp_path):
    fill(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")

    with open_world(tmp_path / "new", keep_snapshots=3) as world:
        assert (world.numbers(NIGHT), world.numbers(OTHER)) == ([7], [8, 9])
        world.publish(world.stage(NIGHT, [70]))
        world.publish(world.stage(OTHER, [90]))
        assert (world.numbers(NIGHT), world.numbers(OTHER)) == ([70], [90])
        for version in world.ledger.versions(DATASET):
            assert all(Path(file).is_file() for file in version.files)
            assert all(file.startswith(f"{tmp_path}/new/lake/") for file in version.files)
    assert not (tmp_path / "old").exists()


def test_every_commit_after_a_move_still_expires_merges_and_survives_the_next_move(tmp_path):
    fill(tmp_path / "a")
    for before, after in (("a", "b"), ("b", "c")):
        (tmp_path / before).rename(tmp_path / after)
        with open_world(tmp_path / after, keep_snapshots=3) as world:
            for number in range(20):
                world.publish(world.stage(NIGHT, [number]))
            assert world.numbers(NIGHT) == [19]
            assert len(world.lake.head(DATASET).snapshots) <= 6
            older = world.ledger.versions(DATASET, NIGHT)[3]
            world.publish(world.lake.restage(older))
            assert world.numbers(NIGHT) == [16]


def test_maintenance_of_a_moved_lake_removes_only_what_nothing_refers_to(tmp_path):
    fill(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    with open_world(tmp_path / "new", keep_snapshots=3) as world:
        stray = world.stage(NIGHT, [0], run_id="gone").files[0].path
        planned = maintenance.plan_compaction(world.lake)
        maintenance.compact(world.lake, world.ledger, planned, run_id="compact", receipt_id="merge")
        removed = maintenance.remove_orphans(
            world.lake, world.ledger, grace=0, keep_versions=2, clock=world.clock, owner="me"
        )
        paths = {orphan.path for orphan in removed}
        assert stray in paths
        assert all(path.startswith(f"{tmp_path}/new/lake/") for path in paths)
        assert (world.numbers(NIGHT), world.numbers(OTHER)) == ([7], [8, 9])
        world.publish(world.stage(NIGHT, [1]))


def test_a_copy_never_touches_its_original(tmp_path):
    fill(tmp_path / "original")
    before = contents(tmp_path / "original")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")

    with open_world(tmp_path / "copy", keep_snapshots=3) as world:
        world.publish(world.stage(NIGHT, [100]))
        maintenance.expire_snapshots(world.lake, world.ledger, owner="me")
        maintenance.remove_orphans(
            world.lake, world.ledger, grace=0, keep_versions=1, clock=world.clock, owner="me"
        )

    assert contents(tmp_path / "original") == before
    with open_world(tmp_path / "original", keep_snapshots=3) as world:
        assert world.numbers(NIGHT) == [7]
        world.publish(world.stage(NIGHT, [8]))


def test_a_table_made_after_the_move_and_one_made_before_live_side_by_side(tmp_path):
    fill(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    with open_world(tmp_path / "new") as world:
        world.publish(world.stage(NIGHT, [1]))
    (tmp_path / "new").rename(tmp_path / "newer")
    with open_world(tmp_path / "newer") as world:
        assert world.lake.datasets() == [DATASET]
        assert world.numbers(NIGHT) == [1]
