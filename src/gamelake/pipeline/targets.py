"""Other systems that get what the lake publishes: opened once, asked in step with every commit.

The lake keeps every version; a target holds the newest rows of each slice, from the same audited files. A
version counts as published, and the ledger records it, once the lake and the target both hold it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from gamelake.connections import FileConnection, PostgresConnection
from gamelake.errors import GamelakeError, LayoutError, Place
from gamelake.model.publish import Receipt
from gamelake.stores.base import lease_name
from gamelake.stores.recovery import record_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from gamelake.clock import Clock
    from gamelake.connections import Connection
    from gamelake.ledger.rows import Lease
    from gamelake.model.publish import PublishedSlice, StagedSlice
    from gamelake.model.steps import Output
    from gamelake.pipeline.project import Project
    from gamelake.settings import Settings
    from gamelake.stores.file_system import FileSystem
    from gamelake.stores.postgres import PostgresStore
    from gamelake.stores.postgres_source import PostgresSource
    from gamelake.stores.remote import Remote

_BATCH_SLICES = 64
_COMMIT_WAIT = 120.0  # seconds in the queue for a table before giving up


class Finish(Protocol):
    """What remains to be done for a target once the lake has committed."""

    def finish(self, receipt: Receipt, lease: Lease) -> Receipt:
        """Make the target hold the lake's receipt."""
        ...


class NoTarget:
    """For outputs that the lake alone holds."""

    def finish(self, receipt: Receipt, lease: Lease) -> Receipt:  # noqa: ARG002 – see Finish
        return receipt


class Targets:
    """Stores behind the connections of a project's profile; each is made on first use."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stores: dict[str, PostgresStore] = {}
        self._lock = Lock()

    def store(self, connection: str) -> PostgresStore:
        """The store of a connection; LayoutError when the profile has none of that name."""
        from gamelake.stores.postgres import PostgresStore

        with self._lock:
            if connection not in self._stores:
                found = self._postgres(connection)
                self._stores[connection] = PostgresStore(
                    found,
                    self._settings.lake_folder,
                    project=project_id(self._settings.state / "project-id"),
                    clock=self._clock,
                    remote=self.remote(connection),
                )
            return self._stores[connection]

    def connection(self, name: str) -> Connection:
        """The profile's connection; LayoutError when it has none of that name."""
        return self._settings.connection(name)

    def _postgres(self, name: str) -> PostgresConnection:
        found = self._settings.connection(name)
        if not isinstance(found, PostgresConnection):
            problem = f"the connection `{name}` is of the kind `{found.kind}`, expected `postgres`"
            raise LayoutError(problem, hint="tables and queries need a database")
        return found

    def folder(self, name: str) -> FileSystem:
        """The root folder of a connection of the kind `file`; without a name, the project's own folder."""
        from gamelake.stores.file_system import FileSystem

        found = self._settings.connection(name) if name else FileConnection(name="files", root=".")
        if not isinstance(found, FileConnection):
            problem = f"the connection `{name}` is of the kind `{found.kind}`, expected `file`"
            raise LayoutError(problem, hint='files are read from a connection with `kind = "file"`')
        return FileSystem(found, self._settings.root, self.remote(found.name))

    def source(self, connection: str) -> PostgresSource:
        """What reads tables and queries behind a connection."""
        from gamelake.stores.postgres_link import driver

        driver()
        from gamelake.stores.postgres_source import PostgresSource

        store = self.store(connection)
        return PostgresSource(store.connection, store.remote)

    def remote(self, connection: str) -> Remote:
        """The retry policy of a store; its breaker is the same for all processes of the project."""
        from gamelake.stores.remote import Remote

        file = self._settings.state / "remotes" / f"{self._settings.profile}.{connection}.json"
        return Remote(connection, file, clock=self._clock)

    def ensure(self, output: Output) -> None:
        """Create or check the output's table in its target, if it has one."""
        if output.target is not None:
            self.store(output.target.connection).ensure_table(output)

    @contextmanager
    def publishing(self, output: Output, slices: Sequence[StagedSlice], receipt_id: str) -> Iterator[Finish]:
        """Rows ready in the target's open transaction while the lake commits; it commits when the block ends.

        Entered before the table's lease is taken, always: whoever waits for rows holds no lease.
        """
        if output.target is None:
            yield NoTarget()
            return
        store = self.store(output.target.connection)
        for part in slices:
            store.verify(output, part.slice, part.files)
        with store.publishing(output, slices, receipt_id) as pending:
            yield pending


def catch_up(project: Project, output: Output) -> int:
    """Give the target what the lake holds and it does not: after a crash, a restore, or with a new profile.

    Slices delivered; 0 for an output without a target.
    """
    if output.target is None:
        return 0
    dataset, store = str(output.dataset), project.targets.store(output.target.connection)
    if not project.lake.current(dataset):
        return 0
    store.ensure_table(output)
    there = store.current(dataset)
    behind = [
        part for part in project.lake.current(dataset).values() if _differs(part, there.get(part.slice))
    ]
    for start in range(0, len(behind), _BATCH_SLICES):
        _deliver(project, output, behind[start : start + _BATCH_SLICES])
    return len(behind)


def _differs(ours: PublishedSlice, theirs: PublishedSlice | None) -> bool:
    return theirs is None or (ours.version, ours.content_hash) != (theirs.version, theirs.content_hash)


def _deliver(project: Project, output: Output, parts: Sequence[PublishedSlice]) -> None:
    assert output.target is not None
    dataset, receipt_id = str(output.dataset), project.ids.new("rcpt")
    store = project.targets.store(output.target.connection)
    owner = f"delivery {receipt_id}"
    with (
        store.publishing(output, parts, receipt_id) as pending,
        project.ledger.lease(
            lease_name(dataset), owner, ttl=project.settings.lease_seconds, wait=_COMMIT_WAIT
        ) as lease,
    ):
        now = project.lake.current(dataset)  # a publish may have come first while we copied
        newest = tuple(now[part.slice] for part in parts)
        receipt = Receipt(receipt_id, "", "catch up", dataset, newest, project.clock.now())
        pending.finish(receipt, lease)


def recover(project: Project) -> list[Receipt]:
    """Record every receipt that the tables hold and the ledger does not: what a killed run left unsaid.

    A dataset whose target cannot be reached stays as it is: its steps are still work to do.
    """
    found: list[Receipt] = []
    outputs = project.graph.outputs
    for dataset in project.lake.datasets():
        output = outputs.get(dataset)
        if output is not None and output.target is not None:
            try:
                catch_up(project, output)
            except GamelakeError as error:
                data = {"dataset": dataset, "connection": output.target.connection, "problem": error.problem}
                project.ledger.append_event("target.behind", data=data)
                continue
        found += record_missing(project.lake, project.ledger, dataset)
    return found


def refuse_unknown_connections(settings: Settings, outputs: Iterable[Output]) -> None:
    """LayoutError naming every output whose connection the profile does not have, and tables named twice."""
    errors: list[LayoutError] = []
    tables: dict[tuple[str, str], str] = {}
    for output in outputs:
        if output.target is None:
            continue
        place = Place(key=f"{output.dataset}.connection")
        try:
            target = settings.connection(output.target.connection)
            if not isinstance(target, PostgresConnection):
                problem = (
                    f"`{output.target.connection}` is of the kind `{target.kind}`, which holds no tables"
                )
                errors.append(LayoutError(problem, place, "publish to a connection of the kind `postgres`"))
        except LayoutError as error:
            errors.append(LayoutError(error.problem, place, error.hint))
        other = tables.setdefault((output.target.connection, output.target.table), str(output.dataset))
        if other != str(output.dataset):
            problem = f"`{output.target.table}` is also the table of `{other}`"
            errors.append(LayoutError(problem, place, "a table has one writer: rename one of them"))
    if errors:
        raise LayoutError.all_of(errors)


def project_id(file: Path) -> str:
    """Who this project is to others, for ever: made once, by whichever process comes first."""
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f".{uuid4()}")
    new.write_text(f"{uuid4()}\n", encoding="ascii")
    try:
        os.link(new, file)  # unlike a rename, this never replaces one that is there
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return file.read_text(encoding="ascii").strip()
