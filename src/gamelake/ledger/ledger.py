"""The ledger: one truth for runs, slices, leases and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from gamelake.ledger.checks import CheckLog
from gamelake.ledger.database import Database
from gamelake.ledger.events import EventLog
from gamelake.ledger.leases import LeaseBook
from gamelake.ledger.migrations import migrate
from gamelake.ledger.runs import RunLog
from gamelake.ledger.slices import SliceBook

if TYPE_CHECKING:
    from pathlib import Path

    from gamelake.clock import Clock, Ids


class Ledger(RunLog, SliceBook, CheckLog, EventLog, LeaseBook):
    """Open with `Ledger.open`; may be used by many threads, and by many processes at once.

    Each method is one transaction. Close it, or use it in a `with`.
    """

    @classmethod
    def open(
        cls, path: Path, *, clock: Clock, ids: Ids, lease_seconds: float = 30.0, lake: Path | None = None
    ) -> Self:
        """Open the ledger file, creating or migrating it first.

        `lease_seconds` is how long a running run may stay silent before it counts as dead. `lake` is the folder the
        lake is in now: files that were recorded while it was elsewhere are told as they lie there.
        """
        database = Database(path)
        try:
            migrate(database, clock)
        except BaseException:
            database.close()
            raise
        folder = "" if lake is None else str(lake.absolute())
        return cls(database, clock, ids, lease_seconds=lease_seconds, lake=folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The database file."""
        return self._database.path

    def close(self) -> None:
        """Give back every connection."""
        self._database.close()
