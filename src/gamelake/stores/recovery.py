"""After a crash between a commit and its record: the table knows, the ledger learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gamelake.ledger import Ledger
    from gamelake.model.publish import Receipt
    from gamelake.stores.base import TableStore


def record_missing(store: TableStore, ledger: Ledger, dataset: str) -> list[Receipt]:
    """Enter every receipt of the table that the ledger lacks, oldest first; returns those it lacked.

    Harmless at any time and from any process: entering twice changes nothing. Called before a plan is
    made and under the table's lease, so that nobody works from a ledger that is behind.
    """
    missing = [receipt for receipt in store.receipts(dataset) if not ledger.has_receipt(receipt.id)]
    for receipt in missing:
        ledger.record_publish(receipt)
    return missing
