"""Events: a numbered story that other processes follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gamelake.ledger.part import LedgerPart
from gamelake.ledger.rows import EventRow
from gamelake.ledger.tables import events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class EventLog(LedgerPart):
    """Append and follow. SQLite has one writer at a time, so `seq` order is commit order."""

    def append_event(
        self, kind: str, *, run_id: str | None = None, data: Mapping[str, Any] | None = None
    ) -> int:
        """Add an event; returns its sequence number."""
        with self._database.write() as connection:
            return self._event(connection, kind, run_id, dict(data or {}))

    def events(self, after: int = 0, *, run_id: str | None = None, limit: int = 500) -> list[EventRow]:
        """Events with a higher sequence than `after`, oldest first."""
        query = sa.select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
        if run_id is not None:
            query = query.where(events.c.run_id == run_id)
        with self._database.read() as connection:
            return [EventRow(**row) for row in connection.execute(query).mappings()]

    def last_event_of(self, kinds: Sequence[str], name: str) -> EventRow | None:
        """The newest event of one of these kinds whose data has that `name`."""
        query = (
            sa.select(events)
            .where(events.c.kind.in_(kinds), events.c.data["name"].as_string() == name)
            .order_by(events.c.seq.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else EventRow(**row)

    def last_event(self) -> int:
        """Highest sequence so far; 0 before the first event."""
        with self._database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(events.c.seq))).scalar() or 0)
