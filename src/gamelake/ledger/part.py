"""What every part of the ledger shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gamelake.ledger.tables import events

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gamelake.clock import Clock, Ids
    from gamelake.ledger.database import Database


class LedgerPart:
    """Base of the parts a `Ledger` is made of: a database, a clock and ids."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, *, lease_seconds: float = 30.0, lake: str = ""
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._lease_seconds = lease_seconds
        self._lake = lake

    def _event(self, connection: sa.Connection, kind: str, run_id: str | None, data: dict[str, Any]) -> int:
        """Append an event in the caller's transaction: it is seen when, and only if, the change is."""
        values = {"at": self._clock.now(), "kind": kind, "run_id": run_id, "data": data}
        key = connection.execute(events.insert().values(values)).inserted_primary_key
        return int(key[0]) if key else 0
