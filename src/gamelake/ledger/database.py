"""The ledger's engine: how transactions begin, and nothing about what they hold."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from gamelake import failpoints
from gamelake.errors import Place, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS = 30.0


class Database:
    """A SQLite file shared by threads and processes.

    Writers begin IMMEDIATE: a transaction that starts by reading and then writes would fail at
    once, whatever the timeout, when another process wrote in between.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            pool_size=4,
            max_overflow=64,
        )
        sa.event.listen(self._engine, "connect", _prepare)
        sa.event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        self._reader = self._engine.execution_options(begin="BEGIN")

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that waits for other writers, then sees and changes the newest state."""
        with self._errors(), self._writer.begin() as connection:
            yield connection
            failpoints.hit("ledger.before_commit")

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view; never waits for writers. Do not write in it."""
        with self._errors(), self._reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close pooled connections; using the database again opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            place, cause = Place(str(self.path)), str(error.orig)
            if "locked" in cause or "busy" in cause:
                problem = f"another process kept the ledger locked for {BUSY_SECONDS:.0f} seconds"
                raise StoreError(problem, place, "look for a stopped gamelake process") from error
            hint = "check that the folder is writable and the disk not full"
            raise StoreError(f"the ledger could not be used: {cause}", place, hint) from error
        except DatabaseError as error:
            if isinstance(error, sa.exc.IntegrityError):
                raise
            hint = "restore the file from a backup, or move it away to start a new ledger"
            raise StoreError(f"the ledger is damaged: {error.orig}", Place(str(self.path)), hint) from error


def _prepare(connection: Any, record: Any) -> None:  # noqa: ARG001 – driver objects
    connection.isolation_level = None  # the driver's own BEGIN would come too late and be deferred
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))
