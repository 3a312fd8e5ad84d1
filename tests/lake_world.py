"""A small lake with its ledger, for tests of both, in this process and in others."""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from gamelake import failpoints
from gamelake.clock import FixedClock, SystemClock, SystemIds
from gamelake.ledger import Ledger
from gamelake.model.names import DatasetName
from gamelake.model.publish import StagedFile, StagedSlice
from gamelake.model.runs import RunState
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.model.steps import Output
from gamelake.stores.base import lease_name
from gamelake.stores.lake import Lake
from gamelake.stores.maintenance import remove_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gamelake.clock import Clock, Ids
    from gamelake.model.publish import Receipt

DATASET = "wow.gold.fact"
PRELOADED = (
    "gamelake.jobs.local",
    "gamelake.pipeline.project",
    "gamelake.engines.duckdb",
    "gamelake.cli.build",
)
ARROW = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INT: pa.int32(),
    ColumnType.BIGINT: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.BOOL: pa.bool_(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.UUID: pa.uuid(),
    ColumnType.BLOB: pa.binary(),
}

OUTPUT = Output(
    dataset=DatasetName.parse(DATASET),
    schema=Schema(
        (
            Column("raid_date", ColumnType.DATE, nullable=False),
            Column("team", ColumnType.TEXT, nullable=False),
            Column("n", ColumnType.BIGINT, nullable=False),
            Column("note", ColumnType.TEXT),
        )
    ),
    slice_columns=("raid_date", "team"),
)


def night(day: str, team: str = "a team with a long name / ü") -> Slice:
    return Slice.of(raid_date=day, team=team)


NIGHT = night("2026-02-16")
OTHER = night("2026-02-17")


def write_rows(path: Path, rows: list[dict], schema: pa.Schema | None = None) -> StagedFile:
    """Write rows as Parquet; all columns nullable in the file, as engines write them."""
    schema = schema or pa.schema([(column.name, ARROW[column.type]) for column in OUTPUT.schema.columns])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return StagedFile(str(path), len(rows), path.stat().st_size)


def rows_of(part: Slice, numbers: Sequence[int], note: str | None = None) -> list[dict]:
    keys = part.as_dict()
    day = date.fromisoformat(keys["raid_date"])
    return [{"raid_date": day, "team": keys["team"], "n": n, "note": note} for n in numbers]


@dataclass
class World:
    """Everything one process needs to publish."""

    folder: Path
    ledger: Ledger
    lake: Lake
    clock: Clock
    ids: Ids

    def stage(
        self,
        part: Slice,
        numbers: Sequence[int],
        *,
        run_id: str = "run",
        note: str | None = None,
        files: int = 1,
    ) -> StagedSlice:
        folder = self.lake.staging_folder(DATASET, run_id)
        staged = []
        for number in range(files):
            share = numbers[number::files]
            staged.append(write_rows(folder / f"{uuid4()}.parquet", rows_of(part, share, note)))
        return StagedSlice(part, tuple(staged), len(numbers), f"hash-{sorted(numbers)}", "fingerprint", {})

    def empty(self, part: Slice) -> StagedSlice:
        return StagedSlice(part, (), 0, "hash-[]", "fingerprint", {})

    def publish(
        self, *staged: StagedSlice, receipt_id: str | None = None, run_id: str = "run", record: bool = True
    ) -> Receipt:
        """Lease, commit, record: what the pipeline does."""
        with self.ledger.lease(lease_name(DATASET), run_id, ttl=30, wait=60) as lease:
            receipt = self.lake.commit(
                OUTPUT,
                staged,
                receipt_id=receipt_id or self.ids.new("rcpt"),
                run_id=run_id,
                step="step",
                lease=lease,
            )
        if record:
            self.ledger.record_publish(receipt)
        return receipt

    def numbers(self, part: Slice) -> list[int]:
        """What a reader finds in a slice."""
        files = self.lake.files(DATASET).get(part, [])
        return sorted(n for file in files for n in pq.read_table(file, columns=["n"])["n"].to_pylist())

    def close(self) -> None:
        self.lake.close()
        self.ledger.close()


def open_ledger(folder: Path) -> Ledger:
    """The folder's ledger, with real time and ids."""
    return Ledger.open(folder / "ledger.db", clock=SystemClock(), ids=SystemIds())


@contextmanager
def open_world(
    folder: Path, *, clock: Clock | None = None, ids: Ids | None = None, keep_snapshots: int = 10
) -> Iterator[World]:
    clock, ids = clock or SystemClock(), ids or SystemIds()
    ledger = Ledger.open(folder / "ledger.db", clock=clock, ids=ids)
    lake = Lake(folder / "lake", clock=clock, recorded=ledger.has_receipt, keep_snapshots=keep_snapshots)
    world = World(folder, ledger, lake, clock, ids)
    try:
        lake.ensure_table(OUTPUT)
        yield world
    finally:
        world.close()


def start(target, *arguments) -> multiprocessing.Process:
    """Run a function of a test helper in a process of its own, without importing everything again."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lake_world", "gamelake.stores.commit", *PRELOADED])
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def finish(process: multiprocessing.Process, seconds: float = 60) -> int:
    """Exit code; a process that hangs is killed and fails the test."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        message = f"still running after {seconds} seconds"
        raise AssertionError(message)
    return process.exitcode


def publish_many(folder: str, part: Slice, numbers: list[int], times: int) -> None:
    """Child: publish the same slice again and again."""
    with open_world(Path(folder)) as world:
        for _ in range(times):
            world.publish(world.stage(part, numbers), run_id=f"run-{os.getpid()}")


def publish_and_die(folder: str, failpoint: str, receipt_id: str, numbers: list[int]) -> None:
    """Child: publish a night, and be killed at the failpoint."""
    with open_world(Path(folder)) as world:
        run_id = world.ledger.create_run("run", "doomed", {})
        world.ledger.move_run(run_id, RunState.RUNNING)
        staged = [world.stage(NIGHT, numbers, run_id=run_id), world.stage(OTHER, numbers, run_id=run_id)]
        os.environ[failpoints.VARIABLE] = failpoint
        world.publish(*staged, receipt_id=receipt_id, run_id=run_id)


def remove_and_die(folder: str, failpoint: str) -> None:
    """Child: three days later, remove orphans, and be killed at the failpoint."""
    clock = FixedClock(SystemClock().now() + timedelta(days=3))
    with open_world(Path(folder), clock=clock) as world:
        os.environ[failpoints.VARIABLE] = failpoint
        remove_orphans(world.lake, world.ledger, grace=86_400.0, keep_versions=5, clock=clock, owner="me")


def hold_lease(folder: str, name: str, seconds: float) -> None:
    """Child: take a lease and sit on it."""
    with open_ledger(Path(folder)) as ledger, ledger.lease(name, f"child {os.getpid()}", ttl=60, wait=10):
        Path(folder, "held").touch()
        time.sleep(seconds)


def count_under_lease(folder: str, times: int) -> None:
    """Child or thread: add to a number in a file, each time under a lease."""
    number = Path(folder, "number")
    with open_ledger(Path(folder)) as ledger:
        for _ in range(times):
            with ledger.lease("number", "counter", ttl=30, wait=60):
                value = int(number.read_text(encoding="ascii"))
                time.sleep(0.001)
                number.write_text(str(value + 1), encoding="ascii")


def append_events(folder: str, kind: str, times: int) -> None:
    """Child: append numbered events."""
    with open_ledger(Path(folder)) as ledger:
        for number in range(times):
            ledger.append_event(kind, data={"n": number})


def append_and_die(folder: str) -> None:
    """Child: append events, and be killed inside the third transaction."""
    os.environ[failpoints.VARIABLE] = "ledger.before_commit:3"
    append_events(folder, "doomed", 9)


def wait_until(condition, seconds: float = 20) -> None:
    """Poll until true; AssertionError when it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"not true within {seconds} seconds"
            raise AssertionError(message)
        time.sleep(0.01)
