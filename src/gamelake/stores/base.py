"""The promise of a table store. Its sentences are the contract tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gamelake.ledger.rows import Lease, SliceVersion
    from gamelake.model.publish import PublishedSlice, Receipt, StagedFile, StagedSlice
    from gamelake.model.schema import Schema
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output


class TableStore(Protocol):
    """Tables of slices. A commit replaces whole slices, atomically, and leaves a receipt in the table."""

    def ensure_table(self, output: Output) -> None:
        """Create the table, or check that the existing one fits.

        Repeated: does nothing. Concurrent: one creates, all succeed. Another schema (one that the table
        may evolve to apart) or other slice columns: the table is made anew when nothing was ever committed
        to it, else LayoutError, as for a slice column of a type that cannot name a slice.
        """
        ...

    def datasets(self) -> list[str]:
        """Names of all tables, sorted; those never committed to are among them."""
        ...

    def schema(self, dataset: str) -> Schema:
        """Columns as the table holds them; NotFoundError when there is no such table."""
        ...

    def staging_folder(self, dataset: str, run_id: str) -> Path:
        """Folder, existing, where this run writes files for this table; nobody reads from it unasked."""
        ...

    def verify(self, output: Output, slice: Slice, files: Sequence[StagedFile]) -> None:
        """Refuse files that cannot be rows of this slice, with every reason at once (LayoutError).

        Seen: names, storage types, nulls in required columns, slice columns present and equal to the
        slice's values in every row, and the row counts claimed. No files: nothing to refuse.
        A file that is missing or unreadable: StoreError.
        """
        ...

    def commit(
        self,
        output: Output,
        slices: Sequence[StagedSlice],
        *,
        receipt_id: str,
        run_id: str,
        step: str,
        lease: Lease,
    ) -> Receipt:
        """Make the staged files the rows of their slices, all slices at one moment.

        Every slice gets the version after its last one. Slices not named stay as they are.
        Repeated: a receipt id the table still holds commits nothing and returns that receipt.
        Empty: a slice without files becomes empty, and that is a version too; no slices at all is a
        ValueError, as is the same slice twice.
        Concurrent: commits to one table wait for its lease (`lease_name`); a holder who was overtaken
        gets LeaseLostError and has changed nothing. Readers see all of it or nothing.
        Missing table: NotFoundError. Files are verified first, as `verify` does.
        With `evolve`, new nullable columns and wider types of the output become the table's at the same
        moment; files of an older version of a slice may lack them.
        """
        ...

    def restage(self, version: SliceVersion) -> StagedSlice:
        """An earlier version of a slice as something to commit again: same files, a new version.

        NotFoundError when one of its files is gone.
        """
        ...

    def find_receipt(self, dataset: str, receipt_id: str) -> Receipt | None:
        """The receipt of a commit that happened; None when it did not, or when its snapshot has expired.

        A receipt the ledger has not recorded never expires. Missing table: None.
        """
        ...

    def receipts(self, dataset: str) -> list[Receipt]:
        """Receipts the table still holds, oldest first. Missing table: empty."""
        ...

    def current(self, dataset: str) -> dict[Slice, PublishedSlice]:
        """Newest version of every slice, empty ones too, as one consistent state. Missing table: empty."""
        ...

    def files(self, dataset: str) -> dict[Slice, list[str]]:
        """Absolute paths of the current rows, by slice; slices without rows are left out. Missing table: empty."""
        ...


def lease_name(dataset: str) -> str:
    """Name of the lease under which a table is committed to."""
    return f"table:{dataset}"
