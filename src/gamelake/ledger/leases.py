"""Leases: one holder at a time per name, renewed while alive, fenced when overtaken."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gamelake.errors import ConflictError, GamelakeError, LeaseLostError
from gamelake.ledger import processes
from gamelake.ledger.part import LedgerPart
from gamelake.ledger.tables import leases

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLL_SECONDS = 0.005, 0.2  # first and longest pause between two tries


class HeldLease:
    """A lease in our hands; `token` goes into every commit made under it."""

    def __init__(self, book: LeaseBook, name: str, token: int, ttl: float) -> None:
        self.name = name
        self.token = token
        self.ttl = ttl
        self._book = book

    def check(self) -> None:
        """Renew, and raise LeaseLostError when somebody else has taken over since."""
        if not self._book._renew(self):  # noqa: SLF001 – two halves of one thing
            problem = f"the lease `{self.name}` (token {self.token}) belongs to somebody else now"
            hint = "this process was silent for longer than `lease_seconds`; the work can be run again"
            raise LeaseLostError(problem, hint=hint)


class LeaseBook(LedgerPart):
    """Leases by name. Tokens of a name only grow, also over releases and restarts."""

    @contextmanager
    def lease(self, name: str, owner: str, *, ttl: float, wait: float) -> Iterator[HeldLease]:
        """Hold `name` for the block, renewing in the background; ConflictError after `wait` seconds.

        Free at once: a name never leased, given back, expired, or held by a process of this machine
        that has died. Not re-entrant: the same owner asking twice waits for itself.
        """
        held = self._wait_for(name, owner, ttl, wait)
        stop = Event()
        renewer = Thread(target=self._keep, args=(held, stop), name=f"lease {name}", daemon=True)
        renewer.start()
        try:
            yield held
        finally:
            stop.set()
            renewer.join()
            self._release(held)

    def lease_holder(self, name: str) -> str | None:
        """Owner of a lease that is held now; None when it is free."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
        return row.owner if row is not None and not self._free(row) else None

    def _wait_for(self, name: str, owner: str, ttl: float, wait: float) -> HeldLease:
        deadline = time.monotonic() + wait  # real time: an injected clock may stand still
        pause, longest = _POLL_SECONDS
        while True:
            token = self._take(name, owner, ttl)
            if token is not None:
                return HeldLease(self, name, token, ttl)
            if time.monotonic() >= deadline:
                holder = self.lease_holder(name)
                problem = f"`{name}` is in use by `{holder}`, waited {wait:g} seconds"
                raise ConflictError(problem, hint="try again when that run has ended")
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.5, longest)

    def _take(self, name: str, owner: str, ttl: float) -> int | None:
        """New token, or None while somebody holds the name."""
        with self._database.read() as connection:  # most waits end here, without the write lock
            row = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
            if row is not None and not self._free(row):
                return None
        with self._database.write() as connection:
            row = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
            if row is not None and not self._free(row):
                return None
            now = self._clock.now()
            values = {
                "token": (row.token if row is not None else 0) + 1,
                "owner": owner,
                "process": processes.this_process(),
                "taken_at": now,
                "expires_at": now + timedelta(seconds=ttl),
            }
            if row is None:
                connection.execute(leases.insert().values(name=name, **values))
            else:
                connection.execute(leases.update().where(leases.c.name == name).values(values))
            return int(str(values["token"]))

    def _free(self, row: sa.Row[tuple[object, ...]]) -> bool:
        if row.expires_at is None or row.expires_at <= self._clock.now():
            return True
        return processes.certainly_dead(row.process)

    def _renew(self, held: HeldLease) -> bool:
        """Extend; an expired lease nobody took is still ours. False when the token is not the newest."""
        until = self._clock.now() + timedelta(seconds=held.ttl)
        change = leases.update().where(
            leases.c.name == held.name, leases.c.token == held.token, leases.c.expires_at.is_not(None)
        )
        with self._database.write() as connection:
            return connection.execute(change.values(expires_at=until)).rowcount == 1

    def _release(self, held: HeldLease) -> None:
        """Give back; a lease somebody else has taken since is left to them."""
        change = leases.update().where(leases.c.name == held.name, leases.c.token == held.token)
        # a ledger that cannot be written now would hide what went wrong in the block; the lease expires anyway
        with suppress(GamelakeError), self._database.write() as connection:
            connection.execute(change.values(expires_at=None))

    def _keep(self, held: HeldLease, stop: Event) -> None:
        while not stop.wait(held.ttl / 3):
            try:
                if not self._renew(held):
                    return  # lost; the holder learns it from `check`
            except GamelakeError:
                continue  # a locked or full disk now may be fine in a third of the lease
