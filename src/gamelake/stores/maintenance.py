"""Keeping a lake small: expire snapshots, remove files nothing refers to, merge small files of a slice.

Nothing here removes what the newest head, a snapshot, a kept version or a live run refers to. Files go
under the table's lease, after looking again, so that no commit can pick one up meanwhile.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gamelake import failpoints
from gamelake.model.names import DatasetName, moved_path
from gamelake.model.publish import StagedFile, StagedSlice
from gamelake.model.steps import Output
from gamelake.stores.base import lease_name
from gamelake.stores.recovery import record_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gamelake.clock import Clock
    from gamelake.ledger import Ledger
    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.publish import PublishedSlice
    from gamelake.model.slices import Slice
    from gamelake.stores.lake import Lake

LEASE_SECONDS = 60.0
WAIT_SECONDS = 30.0
SMALL_BYTES = 8 * 1024 * 1024
_BATCH_ROWS = 64 * 1024


@dataclass(frozen=True)
class Orphan:
    """A file nothing refers to; `age` is seconds since it was written, or since the last version it was part of ended."""

    dataset: str
    path: str
    bytes: int
    age: float


@dataclass(frozen=True)
class Expired:
    """What expiry did to one table; `held_back` snapshots wait for the ledger to record their receipts."""

    dataset: str
    expired: int
    kept: int
    held_back: int


@dataclass(frozen=True)
class Compaction:
    """A slice whose small files become, or became, one; `version` is 0 while only planned."""

    dataset: str
    slice: Slice
    files: int
    bytes: int
    rows: int
    version: int = 0


def plan_orphans(
    lake: Lake, ledger: Ledger, *, grace: float, keep_versions: int, clock: Clock
) -> list[Orphan]:
    """Files that `remove_orphans` would remove now, oldest first; changes nothing."""
    found = [
        orphan
        for dataset in lake.datasets()
        for orphan in _orphans(lake, ledger, dataset, grace, keep_versions, clock)
    ]
    return sorted(found, key=lambda orphan: -orphan.age)


def remove_orphans(
    lake: Lake, ledger: Ledger, *, grace: float, keep_versions: int, clock: Clock, owner: str
) -> list[Orphan]:
    """Remove orphans, table by table under its lease; returns what is gone."""
    removed: list[Orphan] = []
    for dataset in lake.datasets():
        if not _orphans(lake, ledger, dataset, grace, keep_versions, clock):
            continue  # nobody waits for a lease without need
        with ledger.lease(lease_name(dataset), owner, ttl=LEASE_SECONDS, wait=WAIT_SECONDS) as lease:
            for orphan in _orphans(lake, ledger, dataset, grace, keep_versions, clock):
                failpoints.hit("maintenance.mid_delete" if removed else "maintenance.before_delete")
                lease.check()
                Path(orphan.path).unlink(missing_ok=True)
                removed.append(orphan)
            _remove_empty_folders(lake.table_folder(dataset) / "data", ledger.live_runs())
    return removed


def expire_snapshots(lake: Lake, ledger: Ledger, *, owner: str) -> list[Expired]:
    """Cut every table down to `lake.keep_snapshots` snapshots now, rather than with its next commits."""
    return [_expire(lake, ledger, dataset, owner) for dataset in lake.datasets()]


def plan_compaction(
    lake: Lake, *, small: int = SMALL_BYTES, at_least: int = 2, datasets: Sequence[str] | None = None
) -> list[Compaction]:
    """Slices with at least so many files of less than `small` bytes on average."""
    return [
        Compaction(dataset, part.slice, len(part.files), part.bytes, part.rows)
        for dataset in (datasets or lake.datasets())
        for part in lake.current(dataset).values()
        if len(part.files) >= at_least and part.bytes < small * len(part.files)
    ]


def compact(
    lake: Lake, ledger: Ledger, planned: Sequence[Compaction], *, run_id: str, receipt_id: str
) -> list[Compaction]:
    """Write each planned slice into one file and publish it as a new version with the same rows.

    A slice that changed since it was planned is left alone. One commit per table, with receipts
    `<receipt_id>-<n>`; the content hash and what the rows were made from stay.
    """
    done: list[Compaction] = []
    for number, dataset in enumerate(sorted({plan.dataset for plan in planned}), start=1):
        wanted = {plan.slice: plan for plan in planned if plan.dataset == dataset}
        with ledger.lease(lease_name(dataset), run_id, ttl=LEASE_SECONDS, wait=WAIT_SECONDS) as lease:
            record_missing(lake, ledger, dataset)
            known = ledger.current(dataset)
            output = Output(
                DatasetName.parse(dataset),
                lake.schema(dataset),
                slice_columns=lake.slice_columns(dataset),
                evolve=lake.evolved(dataset),
            )
            staged = [
                _merge(lake, dataset, run_id, part, known.get(part.slice))
                for part in lake.current(dataset).values()
                if part.slice in wanted and len(part.files) == wanted[part.slice].files
            ]
            if not staged:
                continue
            receipt = lake.commit(
                output,
                staged,
                receipt_id=f"{receipt_id}-{number}",
                run_id=run_id,
                step="compact",
                lease=lease,
            )
            ledger.record_publish(receipt)
            done += [
                Compaction(dataset, part.slice, wanted[part.slice].files, part.bytes, part.rows, part.version)
                for part in receipt.slices
            ]
    return done


def referred_files(lake: Lake, ledger: Ledger, dataset: str, *, keep_versions: int) -> set[str]:
    """Absolute paths of everything of one table that must stay, staged files of live runs apart."""
    head = lake.head(dataset)
    table = lake.iceberg_table(dataset)

    def lies(location: str) -> str:
        return moved_path(str(lake.folder), dataset, location.removeprefix("file://"))

    referred = {head.metadata_file, lies(table.metadata_location), *head.side_files()}
    referred |= {lies(entry.metadata_file) for entry in table.metadata.metadata_log}
    referred |= {file for part in head.state.slices.values() for file in part.files}
    referred |= {file for receipt in head.receipts() for part in receipt.slices for file in part.files}
    seen: set[str] = set()
    for snapshot in table.snapshots():
        referred.add(lies(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            referred.add(lies(manifest.manifest_path))
            entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            referred |= {lies(entry.data_file.file_path) for entry in entries}
    for versions in _by_slice(ledger.versions(dataset)):
        referred |= {file for version in versions[:keep_versions] for file in version.files}
    return referred


def _orphans(
    lake: Lake, ledger: Ledger, dataset: str, grace: float, keep_versions: int, clock: Clock
) -> list[Orphan]:
    # in this order: what was staged or committed after the listing is in neither, what was before it is live
    # or referred to by the time we ask
    files = list(_files_below(lake.table_folder(dataset)))
    live = {f"{lake.table_folder(dataset)}/data/{run_id}/" for run_id in ledger.live_runs()}
    referred = referred_files(lake, ledger, dataset, keep_versions=keep_versions)
    ended = _ended(ledger.versions(dataset), keep_versions)
    now = clock.now()
    found = []
    for path, size, written in files:
        if path in referred or any(path.startswith(folder) for folder in live):
            continue
        age = now.timestamp() - written
        if path in ended:
            age = min(age, (now - ended[path]).total_seconds())
        if age >= grace:
            found.append(Orphan(dataset, path, size, age))
    return found


def _ended(versions: list[SliceVersion], keep_versions: int) -> dict[str, datetime]:
    """File → when the last version it was part of ceased to be kept: readers may have had it until then."""
    ended: dict[str, datetime] = {}
    for newest_first in _by_slice(versions):
        for position, version in enumerate(newest_first[keep_versions:], start=keep_versions):
            moment = newest_first[position - keep_versions].published_at
            for file in version.files:
                ended[file] = max(ended.get(file, moment), moment)
    return ended


def _by_slice(versions: list[SliceVersion]) -> list[list[SliceVersion]]:
    """Versions of each slice, newest first."""
    groups: dict[Slice, list[SliceVersion]] = {}
    for version in versions:
        groups.setdefault(version.slice, []).append(version)
    return [sorted(group, key=lambda version: -version.version) for group in groups.values()]


def _files_below(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Absolute path, bytes, and time of writing of every file."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118 – a Path per file would double the time
            try:
                facts = os.stat(path)  # noqa: PTH116
            except FileNotFoundError:
                continue
            yield path, facts.st_size, facts.st_mtime


def _remove_empty_folders(folder: Path, live_runs: list[str]) -> None:
    for parent, _, _ in os.walk(folder, topdown=False):
        path = Path(parent)
        if path != folder and path.name not in live_runs:
            try:
                path.rmdir()
            except OSError:
                continue  # not empty


def _expire(lake: Lake, ledger: Ledger, dataset: str, owner: str) -> Expired:
    from gamelake.stores.commit import expire
    from gamelake.stores.iceberg import SteadyTransaction

    with ledger.lease(lease_name(dataset), owner, ttl=LEASE_SECONDS, wait=WAIT_SECONDS) as lease:
        record_missing(lake, ledger, dataset)
        table = lake.iceberg_table(dataset)
        head = lake.head(dataset)
        transaction = SteadyTransaction(table)
        gone = expire(transaction, lake, head, head.state, most=lake.keep_snapshots, keep=lake.keep_snapshots)
        lease.check()
        if gone:
            transaction.commit_transaction()
        old = max(0, len(head.snapshots) - lake.keep_snapshots)
        return Expired(dataset, len(gone), len(head.snapshots) - len(gone), old - len(gone))


def _merge(
    lake: Lake, dataset: str, run_id: str, part: PublishedSlice, known: SliceVersion | None
) -> StagedSlice:
    """One file with the rows of all, in their order, a batch at a time."""
    import pyarrow.parquet as pq

    target = (
        lake.staging_folder(dataset, run_id) / f"compact-{part.version + 1}-{abs(hash(part.slice)):x}.parquet"
    )
    with pq.ParquetWriter(target, pq.read_schema(part.files[0]), compression="zstd") as writer:
        for file in part.files:
            with pq.ParquetFile(file) as source:
                for batch in source.iter_batches(_BATCH_ROWS):
                    writer.write_batch(batch)
    merged = StagedFile(str(target), part.rows, target.stat().st_size)
    inputs = known.inputs if known is not None and known.version == part.version else part.inputs
    return StagedSlice(part.slice, (merged,), part.rows, part.content_hash, part.fingerprint, inputs)
