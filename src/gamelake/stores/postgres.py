"""Tables of a Postgres, published slice by slice: rows, markers and receipt in one transaction."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from gamelake import failpoints
from gamelake.errors import LeaseLostError, NotFoundError, StoreError, did_you_mean
from gamelake.model.publish import Receipt
from gamelake.stores.footers import slice_values, verify_files
from gamelake.stores.memory import restage
from gamelake.stores.postgres_link import driver, session
from gamelake.stores.receipts import parse_receipt, published, receipt_text, refuse_repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gamelake.clock import Clock
    from gamelake.connections import PostgresConnection
    from gamelake.ledger.rows import Lease, SliceVersion
    from gamelake.model.publish import PublishedSlice, StagedFile, StagedSlice
    from gamelake.model.schema import Schema
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.stores.postgres_link import Session
    from gamelake.stores.remote import Remote

_T = TypeVar("_T")
_NO_ROOT = "-"  # receipts of a remote table name files by their whole path


class PostgresStore:
    """See `TableStore` for what each method promises. Safe in many threads and processes.

    Each call has a session of its own. `project` is who we are: a table has one writing project. Slices of
    one table are published side by side; the same slice waits for its turn on an advisory lock.
    """

    def __init__(
        self, connection: PostgresConnection, folder: Path, *, project: str, clock: Clock, remote: Remote
    ) -> None:
        self.connection = connection
        self.remote = remote
        self._folder = folder
        self._project = project
        self._clock = clock

    def ensure_table(self, output: Output) -> None:
        self._ask(lambda link: self._tables.ensure(link, output, self._project))

    def datasets(self) -> list[str]:
        def names(link: Session) -> list[str]:
            if not self._tables.has_markers(link):
                return []
            return [row[0] for row in link.execute("SELECT dataset FROM gamelake.tables ORDER BY 1")]

        return self._ask(names)

    def schema(self, dataset: str) -> Schema:
        def columns(link: Session) -> Schema | None:
            known = self._tables.registered(link, dataset)
            found: Schema | None = self._tables.table_schema(link, known[0]) if known else None
            return found

        found = self._ask(columns)
        if found is None:
            raise self._missing(dataset)
        return found

    def staging_folder(self, dataset: str, run_id: str) -> Path:
        folder = self._folder / dataset / run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def verify(self, output: Output, slice: Slice, files: Sequence[StagedFile]) -> None:
        verify_files(output, slice, files)

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
        refuse_repeats(slices)
        known = self.find_receipt(str(output.dataset), receipt_id)
        if known is not None:
            return known
        for part in slices:
            self.verify(output, part.slice, part.files)
        blank = Receipt(receipt_id, run_id, step, str(output.dataset), (), self._clock.now())
        with self.publishing(output, slices, receipt_id) as pending:
            current = pending.current()
            return pending.finish(
                replace(blank, slices=tuple(published(part, current) for part in slices)), lease
            )

    def publishing(
        self, output: Output, slices: Sequence[StagedSlice | PublishedSlice], receipt_id: str
    ) -> AbstractContextManager[Pending]:
        """Rows of the slices in an open transaction that nobody sees; `finish` commits it, else it is undone.

        The files must have been verified. Waits while somebody else publishes one of the slices.
        """
        return self._publishing(output, slices, receipt_id)

    def restage(self, version: SliceVersion) -> StagedSlice:
        return restage(version)

    def find_receipt(self, dataset: str, receipt_id: str) -> Receipt | None:
        return next(iter(self._receipts(dataset, receipt_id)), None)

    def receipts(self, dataset: str) -> list[Receipt]:
        return self._receipts(dataset)

    def current(self, dataset: str) -> dict[Slice, PublishedSlice]:
        def slices(link: Session) -> dict[Slice, PublishedSlice]:
            return current_slices(link, dataset) if self._tables.has_markers(link) else {}

        return self._ask(slices)

    def files(self, dataset: str) -> dict[Slice, list[str]]:
        """Files the rows came from: the rows themselves are in Postgres."""
        return {part.slice: list(part.files) for part in self.current(dataset).values() if part.files}

    def _receipts(self, dataset: str, receipt_id: str | None = None) -> list[Receipt]:
        def receipts(link: Session) -> list[Receipt]:
            return receipts_of(link, dataset, receipt_id) if self._tables.has_markers(link) else []

        return self._ask(receipts)

    @contextmanager
    def _publishing(
        self, output: Output, slices: Sequence[StagedSlice | PublishedSlice], receipt_id: str
    ) -> Iterator[Pending]:
        driver()
        with self.remote.watched(), session(self.connection) as link:
            known = self._tables.registered(link, str(output.dataset))
            if known is None:
                raise self._missing(str(output.dataset))
            with link.transaction() as transaction:
                pending = Pending(link, output, known[0], self._project)
                pending.take(slices, receipt_id)
                yield pending
                if not pending.finished:
                    raise driver().Rollback(transaction)
            failpoints.hit("target.after_commit")

    def _ask(self, work: Callable[[Session], _T]) -> _T:
        """Work that can be repeated, in a session of its own."""

        def once() -> _T:
            with session(self.connection) as link:
                return work(link)

        return self.remote.run(once)

    def _missing(self, dataset: str) -> NotFoundError:
        problem = f"Postgres at {self.connection.where} has no table `{dataset}`"
        return NotFoundError(problem, hint=did_you_mean(dataset, self.datasets()))

    @cached_property
    def _tables(self) -> Any:
        """The module that needs the driver."""
        driver()
        from gamelake.stores import postgres_tables

        return postgres_tables


class Pending:
    """One publish between its rows and its commit."""

    def __init__(self, link: Session, output: Output, table: tuple[str, str], project: str) -> None:
        self.known: Receipt | None = None  # when an earlier try with the same id landed
        self.finished = False
        self._link = link
        self._output = output
        self._dataset = str(output.dataset)
        self._table = table
        self._project = project
        self._rows: dict[Slice, tuple[str, ...]] = {}

    def take(self, slices: Sequence[StagedSlice | PublishedSlice], receipt_id: str) -> None:
        """Lock the slices and replace their rows, in the open transaction."""
        from gamelake.stores.postgres_tables import lock_key

        table = ".".join(self._table)
        keys = sorted(lock_key("slice", table, str(part.slice)) for part in slices)  # one order: no deadlock
        locks = "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) WITH ORDINALITY AS t(key, n) ORDER BY n"
        self._link.execute(locks, [keys])
        self.known = next(iter(receipts_of(self._link, self._dataset, receipt_id)), None)
        if self.known is None:
            self._replace(slices)
        failpoints.hit("target.after_copy")

    def current(self) -> dict[Slice, PublishedSlice]:
        """Newest version of every slice, as this transaction sees it."""
        return current_slices(self._link, self._dataset)

    def finish(self, receipt: Receipt, lease: Lease) -> Receipt:
        """Write the receipt; the commit follows when the block ends.

        The receipt may name other files than those taken (a store before us may have made others): then
        the rows are replaced by those.
        """
        if self.known is None:
            if {part.slice: part.files for part in receipt.slices} != self._rows:
                self._replace(receipt.slices)
            self._refuse_overtaken(receipt, lease)
            self._mark(receipt, lease.token)
        lease.check()  # the last look; whoever took over later finds our commit
        failpoints.hit("target.in_commit")
        self.finished = True
        return self.known or receipt

    def _replace(self, slices: Sequence[StagedSlice | PublishedSlice]) -> None:
        from psycopg import sql

        from gamelake.stores.postgres_copy import copy_files
        from gamelake.stores.postgres_tables import evolve

        evolve(self._link, self._output, self._table)
        table = sql.Identifier(*self._table)
        with self._link.cursor() as cursor:
            for part in slices:
                values = slice_values(self._output, part.slice)
                same = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values]
                where = sql.SQL(" AND ").join(same) if same else sql.SQL("true")
                cursor.execute(sql.SQL("DELETE FROM {} WHERE {}").format(table, where), list(values.values()))
            self._rows = {part.slice: _paths(part) for part in slices}
            files = [path for paths in self._rows.values() for path in paths]
            wanted = sum(part.rows for part in slices)
            found = copy_files(cursor, table, self._output.schema, files) if files else 0
        if found != wanted:
            problem = f"Postgres took {found} rows of `{self._dataset}`, the slices were staged with {wanted}"
            raise StoreError(problem, hint="run again")

    def _refuse_overtaken(self, receipt: Receipt, lease: Lease) -> None:
        """The fence: a slice remembers the newest lease it was published under, and the project."""
        row = self._link.execute(
            "SELECT max(token) FROM gamelake.slices WHERE dataset = %s AND slice = ANY(%s)",
            [self._dataset, [str(part.slice) for part in receipt.slices]],
        ).fetchone()
        if row and row[0] is not None and row[0] > lease.token:
            problem = (
                f"`{self._dataset}` was published under a newer lease (token {row[0]}, ours is {lease.token})"
            )
            raise LeaseLostError(problem, hint="this process was silent for too long; run again")

    def _mark(self, receipt: Receipt, token: int) -> None:
        self._link.execute(
            "INSERT INTO gamelake.receipts (dataset, receipt, run, step, rows, published_at, body) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                self._dataset,
                receipt.id,
                receipt.run_id,
                receipt.step,
                receipt.rows,
                receipt.published_at,
                receipt_text(receipt, _NO_ROOT),
            ],
        )
        with self._link.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO gamelake.slices AS s "
                "(dataset, slice, receipt, version, rows, content_hash, fingerprint, token) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (dataset, slice) DO UPDATE SET "
                "receipt = excluded.receipt, version = excluded.version, rows = excluded.rows, "
                "content_hash = excluded.content_hash, fingerprint = excluded.fingerprint, token = excluded.token",
                [
                    (
                        self._dataset,
                        str(p.slice),
                        receipt.id,
                        p.version,
                        p.rows,
                        p.content_hash,
                        p.fingerprint,
                        token,
                    )
                    for p in receipt.slices
                ],
            )


def receipts_of(link: Session, dataset: str, receipt_id: str | None = None) -> list[Receipt]:
    """Receipts of a table, oldest first; of one id when given."""
    query = "SELECT body FROM gamelake.receipts WHERE dataset = %s AND (%s::text IS NULL OR receipt = %s) ORDER BY number"
    rows = link.execute(query, [dataset, receipt_id, receipt_id]).fetchall()
    return [parse_receipt(body, _NO_ROOT, f"gamelake.receipts of `{dataset}`") for (body,) in rows]


def current_slices(link: Session, dataset: str) -> dict[Slice, PublishedSlice]:
    """Newest version of every slice, from one statement and so from one moment."""
    query = (
        "SELECT r.body, array_agg(s.slice) FROM gamelake.slices s JOIN gamelake.receipts r USING (dataset, receipt) "
        "WHERE dataset = %s GROUP BY r.number, r.body ORDER BY r.number"
    )
    found: dict[Slice, PublishedSlice] = {}
    for body, names in link.execute(query, [dataset]).fetchall():
        receipt = parse_receipt(body, _NO_ROOT, f"gamelake.receipts of `{dataset}`")
        wanted = set(names)
        found |= {part.slice: part for part in receipt.slices if str(part.slice) in wanted}
    return found


def _paths(part: StagedSlice | PublishedSlice) -> tuple[str, ...]:
    return tuple(file if isinstance(file, str) else file.path for file in part.files)
