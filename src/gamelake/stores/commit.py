"""One commit to a lake table: verify, plan against the newest head, swap, try again when overtaken."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table.update.snapshot import ExpireSnapshots
from sqlalchemy.exc import SQLAlchemyError

from gamelake import failpoints
from gamelake.errors import ConflictError, GamelakeError, Place, StoreError
from gamelake.stores import receipts as words
from gamelake.stores.footers import verify_files
from gamelake.stores.heads import parse_head
from gamelake.stores.iceberg import DataFiles, ReplaceFiles, SteadyTransaction, evolve
from gamelake.stores.local_io import sync_files, write_durably

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.parquet as pq
    from pyiceberg.table import Table, Transaction

    from gamelake.ledger.rows import Lease
    from gamelake.model.publish import Receipt, StagedSlice
    from gamelake.model.steps import Output
    from gamelake.stores.heads import SnapshotHead, TableHead
    from gamelake.stores.lake import Lake
    from gamelake.stores.receipts import TableState

_TRIES = 6
_FIRST_PAUSE = 0.02  # seconds, doubled after each lost race


class Commit:
    """What `Lake.commit` does, once per object."""

    def __init__(
        self, lake: Lake, output: Output, slices: Sequence[StagedSlice], receipt: Receipt, lease: Lease
    ) -> None:
        self._lake = lake
        self._output = output
        self._slices = slices
        self._blank = receipt  # without slices: their versions are known only inside a try
        self._lease = lease
        self._footers: dict[str, pq.FileMetaData] = {}

    def run(self) -> Receipt:
        """The receipt of this commit, or of an earlier one with the same id."""
        words.refuse_repeats(self._slices)
        known = self._lake.head(self._blank.dataset).find_receipt(self._blank.id)
        if known is not None:
            return known
        failpoints.hit("publish.before_verify")
        for part in self._slices:
            self._footers |= verify_files(self._output, part.slice, part.files)
        self._sync()
        failpoints.hit("publish.before_commit")
        receipt = self._try_until_landed()
        failpoints.hit("publish.after_commit")
        return receipt

    def _sync(self) -> None:
        sync_files(self._footers)
        sync_files({str(Path(path).parent) for path in self._footers})

    def _try_until_landed(self) -> Receipt:
        pause = _FIRST_PAUSE
        for attempt in range(1, _TRIES + 1):
            self._lease.check()
            try:
                return self._try()
            except (CommitFailedException, ValidationException) as error:
                # certain not to have landed: another commit came first, so look at its result and the lease again
                if attempt == _TRIES:
                    problem = f"`{self._blank.dataset}` changed {_TRIES} times while we tried to commit to it"
                    hint = "something commits to this table without its lease"
                    raise ConflictError(problem, hint=hint) from error
            except (SQLAlchemyError, OSError) as error:
                landed = self._landed()
                if landed is not None:
                    return landed
                problem = f"commit to `{self._blank.dataset}` failed: {error}"
                raise StoreError(
                    problem, Place(str(self._lake.folder)), "check disk space and run again"
                ) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause *= 2
        raise AssertionError  # the last try returns or raises

    def _landed(self) -> Receipt | None:
        """The receipt, when an error hid that the commit happened."""
        try:
            return self._lake.find_receipt(self._blank.dataset, self._blank.id)
        except GamelakeError:
            return None

    def _try(self) -> Receipt:
        table = self._lake.iceberg_table(self._blank.dataset)
        head = parse_head(self._lake.folder, self._blank.dataset, table.metadata_location)
        known = head.find_receipt(self._blank.id)
        if known is not None:
            return known
        state = head.state
        receipt = replace(
            self._blank, slices=tuple(words.published(part, state.slices) for part in self._slices)
        )
        transaction = SteadyTransaction(table)
        evolve(transaction, self._output, head)
        self._replace_files(table, transaction, head, self._summary(receipt, head))
        keep = self._lake.keep_snapshots
        expire(
            transaction, self._lake, head, state, most=2 * keep - 1, keep=keep - 1
        )  # one more is being made
        self._lease.check()  # last look before the swap; whoever took over later finds our commit, or makes us fail
        transaction.commit_transaction()
        return receipt

    def _replace_files(
        self, table: Table, transaction: Transaction, head: TableHead, summary: dict[str, str]
    ) -> None:
        before: set[str] = set()
        after: dict[str, StagedSlice] = {}
        for part in self._slices:
            known = head.state.slices.get(part.slice)
            before |= set(known.files) if known else set()
            after |= {file.path: part for file in part.files}
        files = DataFiles(transaction.table_metadata, self._output)
        added = [
            files.entry(part.slice, path, self._footers[path], head.recorded(path))
            for path, part in after.items()
            if path not in before
        ]
        partitions = {files.partition(part.slice) for part in self._slices}
        change = ReplaceFiles(transaction, table.io, summary)
        removed = {head.recorded(path) for path in before - after.keys()}
        missing = change.replace(partitions, removed, added)
        if missing:
            problem = f"table `{self._blank.dataset}` lacks {len(missing)} files that its receipts name"
            hint = "something else than gamelake changed the table: roll it back with that tool"
            raise StoreError(problem, Place(min(missing)), hint)

    def _summary(self, receipt: Receipt, head: TableHead) -> dict[str, str]:
        text = words.receipt_text(receipt, head.root)
        summary = {words.RECEIPT_ID: receipt.id, words.TOKEN: str(self._lease.token)}
        if len(text) <= words.INLINE_LIMIT:
            return {**summary, words.RECEIPT: text}
        name = f"metadata/receipt-{uuid4()}.json"
        write_durably(Path(head.root, name), text)
        return {**summary, words.RECEIPT_FILE: name, words.RECEIPT_HASH: words.digest(text)}


def expire(
    transaction: Transaction, lake: Lake, head: TableHead, state: TableState, *, most: int, keep: int
) -> list[int]:
    """Stage the removal of old snapshots when the head has more than `most`; returns their ids.

    What their receipts said goes into the index, in the same commit. Kept: the newest `keep`, the
    current one, tagged ones, and those whose receipt the ledger has not recorded.
    """
    if len(head.snapshots) <= most:
        return []
    old = head.snapshots[: len(head.snapshots) - keep]
    gone = [snapshot.id for snapshot in old if _may_go(snapshot, head, lake)]
    if not gone:
        return []
    text = words.index_text(state, head.root)
    name = f"metadata/index-{uuid4()}.json"
    write_durably(Path(head.root, name), text)
    transaction.set_properties({words.INDEX_FILE: name, words.INDEX_HASH: words.digest(text)})
    ExpireSnapshots(transaction).by_ids(gone).commit()
    return gone


def _may_go(snapshot: SnapshotHead, head: TableHead, lake: Lake) -> bool:
    if snapshot.id in head.tagged or snapshot.id == head.current_snapshot:
        return False
    return snapshot.receipt_id is None or lake.recorded(snapshot.receipt_id)
