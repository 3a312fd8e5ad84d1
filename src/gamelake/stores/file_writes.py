"""Files that readers see whole or not at all, by what each store can do at one moment.

This machine renames; S3 shows an object when all of it has arrived; WebHDFS renames over the old file, and a gateway
that cannot do that removes it first.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gamelake.errors import LayoutError, OperatorError, Place, StoreError
from gamelake.stores.file_system import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.stores.file_system import FileSystem

_S3 = frozenset({"s3", "s3a"})
WRITABLE = _S3 | {"webhdfs"}
SCRATCH = "_gamelake/new"
"""Folder below the root for files that are not in their place yet."""

_LEFT_OVER = 86_400.0  # seconds after which nobody writes there any more
_CHUNK = 2**23


class FileWriter:
    """Puts files into one file system; paths begin as its root does."""

    def __init__(self, system: FileSystem) -> None:
        protocol = system.where.partition("://")[0]
        if not system.is_local and protocol not in WRITABLE:
            known = ", ".join(f"`{name}://`" for name in sorted(WRITABLE))
            problem = f"files cannot be written to `{protocol}://` yet, only to this machine and: {known}"
            raise LayoutError(problem, hint="name a connection to one of these")
        self._system = system
        self._is_s3 = protocol in _S3

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder of this machine for files that `place` takes; what the dead left there goes after a day."""
        if not self._system.is_local:
            with TemporaryDirectory(prefix="gamelake-") as made:
                yield Path(made)
            return
        folder = Path(self._system.root, SCRATCH, f"{name}-{uuid4().hex[:8]}")
        with _written(folder):
            folder.mkdir(parents=True)
            for other in folder.parent.iterdir():
                with suppress(FileNotFoundError):
                    if time() - other.stat().st_mtime > _LEFT_OVER:
                        shutil.rmtree(other, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, new: Path, path: str) -> None:
        """Make a file of this machine the one at the path; a local one is moved."""
        if self._system.is_local:
            with _written(Path(path)):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                replace_later(new, Path(path))
            return
        self._system.asked(partial(self._upload, new, path))

    def write(self, content: bytes, path: str) -> None:
        """The same of a few bytes."""
        with self.scratch("text") as folder:
            new = folder / "text"
            with _written(new):
                new.write_bytes(content)
            self.place(new, path)

    def read(self, path: str) -> bytes | None:
        """A small file's content; None when it is not there."""
        if self._system.is_local:
            with _written(Path(path)), suppress(FileNotFoundError):
                return Path(path).read_bytes()
            return None
        return self._system.asked(partial(self._read, path))

    def sizes(self, folder: str) -> dict[str, int]:
        """Path → bytes of every file below a folder; empty when there is no such folder."""
        if self._system.is_local:
            found: dict[str, int] = {}
            for at, _, names in os.walk(folder):
                for file in (Path(at, name) for name in names):
                    with _written(file), suppress(FileNotFoundError):  # removed meanwhile
                        found[str(file)] = file.stat().st_size
            return found
        return self._system.asked(partial(self._sizes, folder))

    def remove(self, path: str, keep: str) -> None:
        """Remove a file, and the folders above it that are empty then, up to and without `keep`."""
        if self._system.is_local:
            with _written(Path(path)):
                Path(path).unlink(missing_ok=True)
            with suppress(OSError):  # a folder holds something else as well
                for folder in Path(path).relative_to(keep).parents[:-1]:
                    Path(keep, folder).rmdir()
            return
        self._system.asked(partial(self._remove, path, keep))

    def _upload(self, new: Path, path: str) -> None:
        fs, wanted = self._system.opened, new.stat().st_size
        with translated(path):
            hidden = path if self._is_s3 else f"{path.rpartition('/')[0]}/.{uuid4().hex}"
            try:
                fs.put_file(str(new), hidden) if not self._is_s3 else _put(fs, new, path)
                found = int(fs.info(hidden)["size"])
                if found != wanted:
                    problem = f"the transfer was cut off: {found} of {wanted} bytes arrived"
                    raise StoreError(problem, Place(path), "run again")
                if not self._is_s3:
                    _rename_over(fs, hidden, path)
            except BaseException:
                if not self._is_s3:
                    with suppress(Exception):
                        fs.rm_file(hidden)
                raise

    def _read(self, path: str) -> bytes | None:
        fs = self._system.opened
        with translated(path):
            try:
                fs.invalidate_cache()
                found: bytes = fs.cat_file(path)
            except FileNotFoundError:
                return None
        return found

    def _sizes(self, folder: str) -> dict[str, int]:
        fs = self._system.opened
        with translated(folder):
            try:
                fs.invalidate_cache()
                found = fs.find(folder, detail=True)
            except FileNotFoundError:
                return {}
        return {str(entry["name"]): int(entry["size"] or 0) for entry in found.values()}

    def _remove(self, path: str, keep: str) -> None:
        fs = self._system.opened
        with translated(path):
            with suppress(FileNotFoundError):
                fs.rm_file(path)
            folder = path.rpartition("/")[0]
            while folder != keep and self._system.children(folder) == []:
                fs.rm(folder, recursive=self._is_s3)  # of S3 only the mark that stands for it
                folder = folder.rpartition("/")[0]


def replace_later(new: Path, old: Path) -> None:
    """Put a file in the place of another, at one moment.

    Readers that keep what they read tell files apart by path and second: no two versions share one.
    """
    if old.exists() and int(new.stat().st_mtime) <= (before := int(old.stat().st_mtime)):
        os.utime(new, (before + 1, before + 1))
    new.replace(old)


def _put(fs: Any, new: Path, path: str) -> None:
    with new.open("rb") as file, fs.open(path, "wb") as out:
        shutil.copyfileobj(file, out, _CHUNK)


def _rename_over(fs: Any, hidden: str, path: str) -> None:
    """In one moment where the cluster knows `renameoptions`; gateways do not, and say that the name is taken."""
    if _renamed(fs, hidden, path, renameoptions="OVERWRITE"):
        return
    with suppress(FileNotFoundError):
        fs.rm_file(path)
    if not _renamed(fs, hidden, path):
        raise StoreError("the store did not rename the new file", Place(path), "run again")


def _renamed(fs: Any, hidden: str, path: str, **options: str) -> bool:
    answer = fs._call("RENAME", method="put", path=hidden, destination=path, **options)  # noqa: SLF001 – `mv` drops the answer
    return not answer.content or answer.json().get("boolean") is not False


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        problem = f"the folder cannot be written: {error.strerror}"
        raise OperatorError(problem, Place(str(path.parent)), "is it read-only, or the disk full?") from error
