"""What happened: runs, slices, leases, checks and events, in one database."""

from gamelake.ledger.ledger import Ledger
from gamelake.ledger.rows import (
    CheckRow,
    EventRow,
    Lease,
    RunRow,
    SliceStateRow,
    SliceSummary,
    SliceVersion,
    TaskRow,
)

__all__ = [
    "CheckRow",
    "EventRow",
    "Lease",
    "Ledger",
    "RunRow",
    "SliceStateRow",
    "SliceSummary",
    "SliceVersion",
    "TaskRow",
]
