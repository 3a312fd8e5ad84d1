"""Folders on this machine or another, through fsspec: listing, fetching, and errors by who can act on them."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from gamelake.errors import OperatorError, Place, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gamelake.connections import FileConnection
    from gamelake.stores.remote import Remote

_T = TypeVar("_T")
_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|InvalidAccessKeyId|Forbidden|HTTP response code 40[13]|HTTP status 40[13]"
)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|NoSuchBucket|bucket does not exist", re.IGNORECASE)
_MARKS = ("ETag", "etag", "checksum", "md5", "mtime", "LastModified", "last_modified", "modificationTime")


@dataclass(frozen=True, order=True)
class Entry:
    """A file or folder; `mark` differs when the content may."""

    path: str
    size: int = 0
    mark: str = ""
    is_folder: bool = False

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @classmethod
    def of(cls, path: Path) -> Self:
        """A local file as it is now; OSError when it is not there."""
        found = path.stat()
        folder = path.is_dir()
        mark = "" if folder else f"{found.st_mtime_ns}:{found.st_ino}"
        return cls(str(path), 0 if folder else found.st_size, mark, folder)


class FileSystem:
    """One root folder, on this machine or behind a URL. Nothing is kept in memory between two calls."""

    def __init__(self, connection: FileConnection, base: Path, remote: Remote) -> None:
        self._connection = connection
        self._remote = remote
        self.is_local = connection.is_local
        here = os.path.abspath(base / connection.folder)  # noqa: PTH100 – `..` goes, links stay what they are called
        self.where = here if self.is_local else connection.root

    @cached_property
    def root(self) -> str:
        """The root as paths below it begin."""
        return self.where if self.is_local else self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        protocol, _, rest = self.where.partition("://")
        options = self._connection.all_options()
        try:
            if protocol in {"s3", "s3a"}:
                return _s3(options), rest.strip("/")
            fs, path = fsspec.core.url_to_fs(self.where, skip_instance_cache=True, **options)
        except ImportError as error:
            problem = f"`{protocol}://` needs a package that is missing: {error}"
            raise OperatorError(problem, hint="install what fsspec asks for") from error
        except (ValueError, TypeError) as error:
            problem = f"`{self.where}` cannot be opened: {error}"
            raise OperatorError(problem, hint="see `root` and `options` of the connection") from error
        return fs, str(path).rstrip("/")

    @property
    def opened(self) -> Any:
        """What fsspec gives, of a root on another machine."""
        return self._opened[0]

    def asked(self, work: Callable[[], _T]) -> _T:
        """The work's result; on another machine tried again while it fails, by the one policy for remote stores."""
        return work() if self.is_local else self._remote.run(work)

    def children(self, path: str) -> list[Entry] | None:
        """What a folder holds; a file gives itself. None when there is no such thing."""
        if self.is_local:
            return _local(Path(path))
        fs, _ = self._opened
        with translated(self.where):
            fs.invalidate_cache()
            try:
                listed = [_entry(found) for found in fs.ls(path, detail=True)]
            except (FileNotFoundError, NotADirectoryError):
                listed = []
            inside = [entry for entry in listed if entry.path != path]
            if inside:
                return inside
            try:
                itself = _entry(fs.info(path))
            except FileNotFoundError:
                return None
            return [] if itself.is_folder else [itself]

    def exists(self, path: str) -> bool:
        """True when there is a file or a folder."""
        return self.children(path) is not None

    def fetch(self, entry: Entry, to: Path) -> Path:
        """Copy one remote file; StoreError when it arrives in part, or was replaced on the way."""
        fs, _ = self._opened
        with translated(entry.path):
            fs.get_file(entry.path, str(to))
            now = _entry(fs.info(entry.path))
        if (now.size, now.mark) != (entry.size, entry.mark):
            raise StoreError(
                "the file changed while it was read",
                Place(entry.path),
                "run again: it reads what is there now",
            )
        if to.stat().st_size != entry.size:
            problem = f"the transfer was cut off: {to.stat().st_size} of {entry.size} bytes arrived"
            raise StoreError(problem, Place(entry.path), "run again")
        return to


def _s3(options: dict[str, Any]) -> Any:
    """S3 through Arrow, which brings it; options are its own (`endpoint_override`, `region`, `access_key`, …)."""
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    # trying again is our own affair: one policy for all remote stores
    usual = {
        "connect_timeout": 10,
        "request_timeout": 60,
        "retry_strategy": AwsStandardS3RetryStrategy(max_attempts=1),
    }
    return ArrowFSWrapper(S3FileSystem(**{**usual, **options}))


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Errors of file systems as ours: what an operator must mend is not tried again."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(
            "it is not there any more", Place(where), "run again: it reads what is there now"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        lines = str(error).strip().splitlines()
        text = lines[0][:300] if lines else type(error).__name__
        if isinstance(error, PermissionError) or _REFUSED.search(text):
            hint = "check the connection's credentials, which `GAMELAKE_CONNECTION_<NAME>_OPTIONS` may hold, and its rights"
            raise OperatorError(f"access is refused: {text}", Place(where), hint) from error
        if _NO_BUCKET.search(text):
            raise OperatorError(
                f"there is no such bucket: {text}", Place(where), "mend `root` of the connection"
            ) from error
        raise StoreError(f"the store failed: {text}", Place(where), "see `gamelake doctor`") from error


def _local(path: Path) -> list[Entry] | None:
    try:
        if path.is_file():
            return [Entry.of(path)]
        return [Entry.of(child) for child in path.iterdir()]
    except FileNotFoundError:
        return None if not path.exists() else _local(path)  # one of its files went away meanwhile
    except OSError as error:
        raise OperatorError(f"the folder cannot be read: {error.strerror}", Place(str(path))) from error


def _entry(found: dict[str, Any]) -> Entry:
    folder = found["type"] == "directory"
    mark = next((str(found[key]) for key in _MARKS if found.get(key)), "")
    return Entry(str(found["name"]).rstrip("/"), int(found.get("size") or 0), "" if folder else mark, folder)
