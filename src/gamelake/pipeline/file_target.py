"""Outputs given to others as files: what a folder holds, and how it comes to hold what the lake does.

A receipt, `_gamelake/<dataset>.json` below the connection's root, says which version of each slice lies there; it is
written last. Whatever it does not vouch for is written again by the next `run`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gamelake import failpoints
from gamelake.errors import ConflictError, LayoutError, LeaseLostError, OperatorError, Place
from gamelake.model.publish import PublishedSlice
from gamelake.model.slices import Slice
from gamelake.pipeline.slice_files import shape, slice_file, write_rows
from gamelake.stores.file_writes import FileWriter
from gamelake.stores.footers import verify_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gamelake.engines.base import Engine
    from gamelake.ledger.rows import Lease
    from gamelake.model.publish import Receipt, StagedFile, StagedSlice
    from gamelake.model.steps import FileTarget, Output
    from gamelake.stores.file_system import FileSystem


@dataclass(frozen=True)
class _Lying:
    """What the receipt says of one slice; no file = it has no rows."""

    version: int
    content: str
    fingerprint: str
    rows: int
    file: str  # below the connection's root
    bytes: int
    shape: str
    token: int  # of the lease it was published under


class FileMirror:
    """The folder of one output. Asked anew each time: nothing is kept between two calls."""

    def __init__(
        self, target: FileTarget, system: FileSystem, project: str, engine: Callable[[], Engine]
    ) -> None:
        self.target = target
        self.engine = engine
        self.writer = FileWriter(system)
        self.root = system.root
        self._where = system.where
        self._project = project

    def ensure_table(self, output: Output) -> None:
        """ConflictError or LayoutError when the folder is not this output's own."""
        folder, told = self.folder, self._told(str(output.dataset))
        if told is not None:
            if told["project"] != self._project:
                problem = f"`{self.target.path}` is written by another gamelake project"
                raise ConflictError(problem, Place(self._where), "name another `path`, or another root")
            if told["path"] == self.target.path:
                return
        if self.writer.sizes(folder):
            problem = f"`{self.target.path}` holds files that `{output.dataset}` did not write"
            raise LayoutError(problem, Place(self._where), "name a folder that is empty or not there yet")

    def current(self, output: Output) -> dict[Slice, PublishedSlice]:
        """What lies there whole and as the output wants it: path, format and columns."""
        known = self.lying(str(output.dataset))
        sizes = self.writer.sizes(self.folder)
        return {
            part: PublishedSlice(part, lie.version, (), lie.rows, lie.bytes, lie.content, lie.fingerprint)
            for part, lie in known.items()
            if not lie.file
            or (
                lie.file == self.file(part)
                and lie.shape == shape(output)
                and sizes.get(self.below(lie.file)) == lie.bytes
            )
        }

    def verify(self, output: Output, part: Slice, files: Sequence[StagedFile]) -> None:
        """See `TableStore`."""
        verify_files(output, part, files)

    @contextmanager
    def publishing(
        self, output: Output, slices: Sequence[StagedSlice | PublishedSlice], receipt_id: str
    ) -> Iterator[_Pending]:
        """Files of the slices, ready where no reader looks; `finish` puts them in their places."""
        with self.writer.scratch(f"{output.dataset}.{receipt_id}") as folder:
            pending = _Pending(self, output, folder)
            pending.take(slices)
            failpoints.hit("target.after_copy")
            yield pending
        failpoints.hit("target.after_commit")

    @property
    def folder(self) -> str:
        """The dataset's folder, as the file system calls it."""
        return self.below(self.target.path)

    def below(self, path: str) -> str:
        """A path below the root, as the file system calls it."""
        return f"{self.root.rstrip('/')}/{path}"

    def file(self, part: Slice) -> str:
        """Where the slice's file lies below the root."""
        return f"{self.target.path}/{slice_file(part, self.target.format, self.target.order)}"

    def lying(self, dataset: str) -> dict[Slice, _Lying]:
        """Slices of the receipt; none without one."""
        told = self._told(dataset)
        return (
            {} if told is None else {Slice.parse(name): _Lying(**lie) for name, lie in told["slices"].items()}
        )

    def tell(self, dataset: str, slices: dict[Slice, _Lying]) -> None:
        """Write the receipt."""
        told = {
            "dataset": dataset,
            "project": self._project,
            "path": self.target.path,
            "slices": {str(part): asdict(lie) for part, lie in sorted(slices.items())},
        }
        self.writer.write(f"{json.dumps(told, indent=1)}\n".encode(), self._receipt(dataset))

    def _receipt(self, dataset: str) -> str:
        return self.below(f"_gamelake/{dataset}.json")

    def _told(self, dataset: str) -> dict[str, Any] | None:
        text = self.writer.read(self._receipt(dataset))
        if text is None:
            return None
        try:
            told = json.loads(text)
            [_Lying(**lie) for lie in told["slices"].values()]
            return {key: told[key] for key in ("project", "path", "slices")}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            hint = "remove it and the dataset's folder, and run again: both are written from the lake"
            raise OperatorError("the receipt is damaged", Place(self._receipt(dataset)), hint) from error


class _Pending:
    """One publish between its files and their places."""

    def __init__(self, mirror: FileMirror, output: Output, folder: Path) -> None:
        self._mirror = mirror
        self._output = output
        self._folder = folder
        self._taken: dict[Slice, tuple[tuple[str, ...], Path]] = {}

    def take(self, slices: Sequence[StagedSlice | PublishedSlice]) -> None:
        """Write the slices' rows where no reader looks."""
        with self._mirror.engine().session() as session:
            for part in slices:
                files = _paths(part)
                new = self._folder / f"{len(self._taken)}"
                if part.rows:
                    session.view("given", self._output.schema, files, mixed=True)
                    write_rows(session, "given", self._output, self._mirror.target.format, new)
                self._taken[part.slice] = files, new

    def finish(self, receipt: Receipt, lease: Lease) -> Receipt:
        """Put the files in their places, then the receipt; the lease is held.

        The receipt may name other files than those taken (a publish came between): then these are written.
        """
        mirror, dataset = self._mirror, str(self._output.dataset)
        other = [part for part in receipt.slices if self._taken.get(part.slice, ((), None))[0] != part.files]
        self.take(other)
        known = mirror.lying(dataset)
        newest = max((known[part.slice].token for part in receipt.slices if part.slice in known), default=0)
        if newest > lease.token:
            problem = f"`{dataset}` was published under a newer lease (token {newest}, ours is {lease.token})"
            raise LeaseLostError(problem, hint="this process was silent for too long; run again")
        failpoints.hit("target.in_commit")
        for part in receipt.slices:
            lease.check()
            known[part.slice] = self._put(part, known.get(part.slice), lease.token)
            failpoints.hit("target.mid_files")
        lease.check()
        mirror.tell(dataset, known)
        return receipt

    def _put(self, part: PublishedSlice, before: _Lying | None, token: int) -> _Lying:
        mirror = self._mirror
        file, size = (mirror.file(part.slice), 0) if part.rows else ("", 0)
        if file:
            new = self._taken[part.slice][1]
            size = new.stat().st_size
            mirror.writer.place(new, mirror.below(file))
        if before is not None and before.file not in {"", file}:
            mirror.writer.remove(mirror.below(before.file), mirror.root)
        return _Lying(
            part.version,
            part.content_hash,
            part.fingerprint,
            part.rows,
            file,
            size,
            shape(self._output),
            token,
        )


def _paths(part: StagedSlice | PublishedSlice) -> tuple[str, ...]:
    return tuple(file if isinstance(file, str) else file.path for file in part.files)
