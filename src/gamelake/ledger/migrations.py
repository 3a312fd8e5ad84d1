"""Numbered changes of the ledger's tables. A shipped one is never edited; a change is a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from gamelake.errors import OperatorError, Place
from gamelake.ledger.tables import schema_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.clock import Clock
    from gamelake.ledger.database import Database

_SEQUENCE = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}

# `{sequence}` is replaced per database; the rest is SQL both understand
_VERSION_1 = (
    """CREATE TABLE schema_version (
        version INTEGER NOT NULL PRIMARY KEY,
        applied_at VARCHAR(27) NOT NULL
    )""",
    """CREATE TABLE runs (
        id TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        request JSON NOT NULL,
        state TEXT NOT NULL,
        error JSON,
        created_at VARCHAR(27) NOT NULL,
        started_at VARCHAR(27),
        ended_at VARCHAR(27),
        heartbeat_at VARCHAR(27),
        process TEXT,
        cancel_requested BOOLEAN NOT NULL
    )""",
    "CREATE INDEX runs_by_state ON runs (state)",
    """CREATE TABLE tasks (
        run_id TEXT NOT NULL REFERENCES runs (id),
        id TEXT NOT NULL,
        position INTEGER NOT NULL,
        step TEXT NOT NULL,
        slices JSON NOT NULL,
        state TEXT NOT NULL,
        rows BIGINT,
        seconds FLOAT,
        sql TEXT,
        error JSON,
        detail JSON NOT NULL,
        changed_at VARCHAR(27) NOT NULL,
        PRIMARY KEY (run_id, id)
    )""",
    """CREATE TABLE receipts (
        id TEXT NOT NULL PRIMARY KEY,
        dataset TEXT NOT NULL,
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        published_at VARCHAR(27) NOT NULL,
        recorded_at VARCHAR(27) NOT NULL
    )""",
    "CREATE INDEX receipts_by_run ON receipts (run_id)",
    """CREATE TABLE slice_versions (
        dataset TEXT NOT NULL,
        slice TEXT NOT NULL,
        version INTEGER NOT NULL,
        receipt_id TEXT NOT NULL REFERENCES receipts (id),
        files JSON NOT NULL,
        rows BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        content_hash TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        inputs JSON NOT NULL,
        PRIMARY KEY (dataset, slice, version)
    )""",
    "CREATE INDEX slice_versions_by_receipt ON slice_versions (receipt_id)",
    """CREATE TABLE slice_states (
        dataset TEXT NOT NULL,
        slice TEXT NOT NULL,
        state TEXT NOT NULL,
        run_id TEXT NOT NULL,
        detail TEXT NOT NULL,
        changed_at VARCHAR(27) NOT NULL,
        PRIMARY KEY (dataset, slice)
    )""",
    """CREATE TABLE checks (
        seq {sequence},
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        dataset TEXT NOT NULL,
        slice TEXT NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        value FLOAT NOT NULL,
        threshold TEXT NOT NULL,
        passed BOOLEAN NOT NULL,
        sample JSON NOT NULL,
        checked_at VARCHAR(27) NOT NULL
    )""",
    "CREATE INDEX checks_by_dataset ON checks (dataset, seq)",
    "CREATE INDEX checks_by_run ON checks (run_id, seq)",
    """CREATE TABLE events (
        seq {sequence},
        at VARCHAR(27) NOT NULL,
        kind TEXT NOT NULL,
        run_id TEXT,
        data JSON NOT NULL
    )""",
    "CREATE INDEX events_by_run ON events (run_id, seq)",
    """CREATE TABLE leases (
        name TEXT NOT NULL PRIMARY KEY,
        token BIGINT NOT NULL,
        owner TEXT NOT NULL,
        process TEXT NOT NULL,
        taken_at VARCHAR(27) NOT NULL,
        expires_at VARCHAR(27)
    )""",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_VERSION_1,)
NEWEST = len(MIGRATIONS)


def migrate(database: Database, clock: Clock) -> int:
    """Bring the ledger to the newest version, each step in its own transaction; returns the version.

    Raises OperatorError when a newer gamelake wrote the ledger. Several processes may call at once.
    """
    with database.read() as connection:
        version = _version(connection)
    while version < NEWEST:
        version = _apply_next(database, clock)
    if version > NEWEST:
        problem = f"the ledger has version {version}, this gamelake knows versions up to {NEWEST}"
        hint = "it was written by a newer gamelake: upgrade this one"
        raise OperatorError(problem, Place(str(database.path)), hint)
    return version


def _apply_next(database: Database, clock: Clock) -> int:
    with database.write() as connection:
        version = _version(connection)  # another process may have been faster
        if version >= NEWEST:
            return version
        for statement in MIGRATIONS[version]:
            connection.exec_driver_sql(statement.format(sequence=_SEQUENCE[connection.dialect.name]))
        connection.execute(schema_version.insert().values(version=version + 1, applied_at=clock.now()))
        return version + 1


def _version(connection: sa.Connection) -> int:
    if not sa.inspect(connection).has_table(schema_version.name):
        return 0
    return int(connection.execute(sa.select(sa.func.max(schema_version.c.version))).scalar() or 0)
