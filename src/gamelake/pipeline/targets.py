"""Other systems that get what the lake publishes: opened once, asked in step with every commit.

The lake keeps every version; a target holds the newest rows of each slice, from the same audited files. A
version counts as published, and the ledger records it, once the lake and the target both hold it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from gamelake.connections import (
    DuckDBConnection,
    FileConnection,
    IcebergConnection,
    LakeConnection,
    PostgresConnection,
    TrinoConnection,
)
from gamelake.errors import GamelakeError, LayoutError, OperatorError, Place
from gamelake.model.publish import Receipt
from gamelake.model.steps import FileTarget, SqlStep, Target
from gamelake.pipeline.variables import today
from gamelake.stores.base import lease_name
from gamelake.stores.recovery import record_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    from gamelake.clock import Clock
    from gamelake.connections import Connection
    from gamelake.engines.base import Engine
    from gamelake.ledger.rows import Lease
    from gamelake.model.publish import PublishedSlice, StagedFile, StagedSlice
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output, Source, Step
    from gamelake.pipeline.project import Project
    from gamelake.settings import Settings
    from gamelake.stores.file_system import FileSystem
    from gamelake.stores.postgres import PostgresStore
    from gamelake.stores.remote import Remote
    from gamelake.stores.source import SourceReader

_BATCH_SLICES = 64
_COMMIT_WAIT = 120.0  # seconds in the queue for a table before giving up


class Finish(Protocol):
    """What remains to be done for a target once the lake has committed."""

    def finish(self, receipt: Receipt, lease: Lease) -> Receipt:
        """Make the target hold the lake's receipt."""
        ...


class Mirror(Protocol):
    """What holds the newest rows of an output's slices beside the lake."""

    def ensure_table(self, output: Output) -> None:
        """Make the place for it, or check the one that is there."""
        ...

    def current(self, output: Output) -> dict[Slice, PublishedSlice]:
        """Slices it holds whole."""
        ...

    def verify(self, output: Output, part: Slice, files: Sequence[StagedFile]) -> None:
        """Compare staged files with what the output declares."""
        ...

    def publishing(
        self, output: Output, slices: Sequence[StagedSlice | PublishedSlice], receipt_id: str
    ) -> AbstractContextManager[Finish]:
        """Rows ready where nobody sees them; `finish` shows them."""
        ...


class _Table:
    """A table of a Postgres as a mirror."""

    def __init__(self, store: PostgresStore) -> None:
        self.ensure_table = store.ensure_table
        self.verify = store.verify
        self.publishing = store.publishing
        self._store = store

    def current(self, output: Output) -> dict[Slice, PublishedSlice]:
        return self._store.current(str(output.dataset))


class NoTarget:
    """For outputs that the lake alone holds."""

    def finish(self, receipt: Receipt, lease: Lease) -> Receipt:  # noqa: ARG002 – see Finish
        return receipt


class Targets:
    """Stores behind the connections of a project's profile; each is made on first use."""

    def __init__(self, settings: Settings, clock: Clock, engine: Callable[[], Engine] | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._engine = engine
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
                    project=self._project_id,
                    clock=self._clock,
                    remote=self.remote(connection),
                )
            return self._stores[connection]

    def mirror(self, output: Output) -> Mirror:
        """What holds an output beside the lake; the output has a target."""
        target = output.target
        if isinstance(target, FileTarget):
            from gamelake.pipeline.file_target import FileMirror

            assert self._engine is not None  # only the graph is made without one
            return FileMirror(target, self.folder(target.connection), self._project_id, self._engine)
        assert target is not None
        return _Table(self.store(target.connection))

    @property
    def _project_id(self) -> str:
        return project_id(self._settings.state / "project-id")

    def today(self) -> date:
        """The day it is in the project's zone."""
        return today(self._settings, self._clock)

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

    def source(self, connection: str) -> SourceReader:
        """What reads tables and queries behind a connection."""
        found, remote = self.connection(connection), self.remote(connection)
        if isinstance(found, TrinoConnection):
            from gamelake.stores.trino_source import TrinoSource

            return TrinoSource(found, remote)
        if isinstance(found, IcebergConnection):
            from gamelake.stores.iceberg_source import IcebergSource

            return IcebergSource(found, remote)
        if isinstance(found, DuckDBConnection):
            from gamelake.stores.local_source import LocalSource

            return LocalSource(found, self._settings.root, remote)
        if not isinstance(found, PostgresConnection):
            problem = f"the connection `{connection}` is of the kind `{found.kind}`, which holds no tables"
            raise LayoutError(problem, hint="tables and queries need a database")
        from gamelake.stores.postgres_link import driver

        driver()
        from gamelake.stores.postgres_source import PostgresSource

        return PostgresSource(found, remote)

    def ping(self, connection: str) -> str:
        """What answers behind a connection, in a few words; raises what reaching it raises."""
        found = self.connection(connection)
        if isinstance(found, TrinoConnection):
            from gamelake.stores import trino_link

            return f"Trino {trino_link.ping(found)}, {found.where}"
        if isinstance(found, IcebergConnection):
            from gamelake.stores.iceberg_source import IcebergSource

            return f"{IcebergSource(found, self.remote(connection)).ping()}, {found.where}"
        if isinstance(found, DuckDBConnection):
            from gamelake.stores.local_source import LocalSource

            return LocalSource(found, self._settings.root, self.remote(connection)).ping()
        if isinstance(found, LakeConnection):
            return f"outputs stay in {found.where}"
        if isinstance(found, FileConnection):
            folder = self.folder(connection)
            there = folder.children(folder.root)
            if there is None:
                problem = f"`{folder.where}` is not there"
                raise OperatorError(problem, hint="mend `root` of the connection, or make the folder")
            return f"{len(there)} {'entry' if len(there) == 1 else 'entries'} in {folder.where}"
        assert isinstance(found, PostgresConnection)
        from gamelake.stores import postgres_link

        return f"Postgres {postgres_link.ping(found)}, {found.where}"

    def remote(self, connection: str) -> Remote:
        """The retry policy of a store; its breaker is the same for all processes of the project."""
        from gamelake.stores.remote import Remote

        file = self._settings.state / "remotes" / f"{self._settings.profile}.{connection}.json"
        return Remote(connection, file, clock=self._clock)

    def ensure(self, output: Output) -> None:
        """Create or check the output's table in its target, if it has one."""
        if output.target is not None:
            self.mirror(output).ensure_table(output)

    @contextmanager
    def publishing(self, output: Output, slices: Sequence[StagedSlice], receipt_id: str) -> Iterator[Finish]:
        """Rows ready in the target's open transaction while the lake commits; it commits when the block ends.

        Entered before the table's lease is taken, always: whoever waits for rows holds no lease.
        """
        if output.target is None:
            yield NoTarget()
            return
        mirror = self.mirror(output)
        for part in slices:
            mirror.verify(output, part.slice, part.files)
        with mirror.publishing(output, slices, receipt_id) as pending:
            yield pending


def catch_up(project: Project, output: Output) -> int:
    """Give the target what the lake holds and it does not: after a crash, a restore, or with a new profile.

    Slices delivered; 0 for an output without a target.
    """
    if output.target is None:
        return 0
    dataset, mirror = str(output.dataset), project.targets.mirror(output)
    if not project.lake.current(dataset):
        return 0
    mirror.ensure_table(output)
    there = mirror.current(output)
    behind = [
        part for part in project.lake.current(dataset).values() if _differs(part, there.get(part.slice))
    ]
    for start in range(0, len(behind), _BATCH_SLICES):
        _deliver(project, output, behind[start : start + _BATCH_SLICES])
    return len(behind)


def _differs(ours: PublishedSlice, theirs: PublishedSlice | None) -> bool:
    return theirs is None or (ours.version, ours.content_hash) != (theirs.version, theirs.content_hash)


def _deliver(project: Project, output: Output, parts: Sequence[PublishedSlice]) -> None:
    dataset, receipt_id = str(output.dataset), project.ids.new("rcpt")
    owner = f"delivery {receipt_id}"
    with (
        project.targets.mirror(output).publishing(output, parts, receipt_id) as pending,
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


def without_absent(settings: Settings, members: Iterable[Step | Source]) -> list[Step | Source]:
    """Layouts whose target the profile replaces by the lake, without that target."""
    return [_without_absent(settings, m) if isinstance(m, SqlStep) else m for m in members]


def _without_absent(settings: Settings, step: SqlStep) -> SqlStep:
    target = step.outputs[0].target
    if target is None or not isinstance(settings.connections.get(target.connection), LakeConnection):
        return step
    return replace(step, outputs=(replace(step.outputs[0], target=None),))


def refuse_unknown_connections(settings: Settings, outputs: Iterable[Output]) -> None:
    """LayoutError naming every output whose connection the profile does not have, and tables named twice."""
    errors: list[LayoutError] = []
    taken: dict[tuple[str, str], str] = {}
    for output in outputs:
        if output.target is None:
            continue
        errors += _connection_mistakes(settings, output, output.target)
        errors += _taken_mistakes(output, output.target, taken)
    if errors:
        raise LayoutError.all_of(errors)


def _connection_mistakes(
    settings: Settings, output: Output, target: Target | FileTarget
) -> Iterator[LayoutError]:
    place = Place(key=f"{output.dataset}.connection")
    if isinstance(target, FileTarget) and not target.connection:
        return
    try:
        found = settings.connection(target.connection)
    except LayoutError as error:
        yield LayoutError(error.problem, place, error.hint)
        return
    if isinstance(target, FileTarget):
        if not isinstance(found, FileConnection):
            problem = f"`{found.name}` is of the kind `{found.kind}`, which holds no files"
            yield LayoutError(problem, place, "write files to a connection of the kind `file`")
    elif not isinstance(found, PostgresConnection):
        problem = f"`{found.name}` is of the kind `{found.kind}`, which is only read from"
        yield LayoutError(problem, place, "publish to a connection of the kind `postgres`")


def _taken_mistakes(
    output: Output, target: Target | FileTarget, taken: dict[tuple[str, str], str]
) -> Iterator[LayoutError]:
    """Names of what two outputs would write, and folders that lie in each other."""
    if isinstance(target, Target):
        name, word, near = target.table, "table", [target.table]
    else:
        name, word = f"{target.path}/", "folder"
        near = [path for _, path in taken if path.startswith(name) or name.startswith(path)]
    mine = str(output.dataset)
    others = {taken.get((target.connection, path), mine) for path in near} - {mine}
    for other in sorted(others):
        problem = f"`{name}` is also the {word} of `{other}`"
        key = f"{output.dataset}.{'connection' if word == 'table' else 'path'}"
        yield LayoutError(problem, Place(key=key), f"a {word} has one writer: rename one of them")
    taken.setdefault((target.connection, name), mine)


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
