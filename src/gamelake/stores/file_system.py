"""Folders on this machine or another, through fsspec: listing, fetching, and errors by who can act on them."""

from __future__ import annotations

import os
import sys
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
_EXTRAS = {"s3": "s3", "s3a": "s3"}
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

        protocol = self.where.partition("://")[0]
        options = self._connection.all_options()
        try:
            fs, path = fsspec.core.url_to_fs(self.where, skip_instance_cache=True, **options)
        except ImportError as error:
            extra = _EXTRAS.get(protocol)
            hint = f"pip install 'gamelake[{extra}]'" if extra else f"install what fsspec needs: {error}"
            raise OperatorError(f"`{protocol}://` needs a package that is missing", hint=hint) from error
        except (ValueError, TypeError) as error:
            raise OperatorError(
                f"`{self.where}` cannot be opened: {error}", hint="see `root` and `options`"
            ) from error
        return fs, str(path)

    def asked(self, work: Callable[[], _T]) -> _T:
        """The work's result; on another machine tried again while it fails, by the one policy for remote stores."""
        return work() if self.is_local else self._remote.run(work)

    def children(self, path: str) -> list[Entry] | None:
        """What a folder holds; a file gives itself. None when there is no such thing."""
        if self.is_local:
            return _local(Path(path))
        fs, _ = self._opened
        with translated(f"{self.where}"):
            fs.invalidate_cache()
            try:
                listed = fs.ls(path, detail=True)
            except FileNotFoundError:
                return None
            return [
                _entry(found)
                for found in listed
                if found["name"].rstrip("/") != path.rstrip("/") or found["type"] == "file"
            ]

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


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Errors of file systems as ours: what an operator must mend is not tried again."""
    try:
        yield
    except PermissionError as error:
        hint = "check the credentials of the connection, and its rights there"
        raise OperatorError(f"access is refused: {error}", Place(where), hint) from error
    except FileNotFoundError as error:
        raise StoreError(
            "it is not there any more", Place(where), "run again: it reads what is there now"
        ) from error
    except _credentials() as error:
        hint = "put them into the environment: `GAMELAKE_CONNECTION_<NAME>_OPTIONS`"
        raise OperatorError(f"there are no credentials: {error}", Place(where), hint) from error
    except _failures() as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise StoreError(f"the store failed: {text[:300]}", Place(where), "see `gamelake doctor`") from error


def _credentials() -> tuple[type[BaseException], ...]:
    module = sys.modules.get("botocore.exceptions")
    return (module.NoCredentialsError, module.PartialCredentialsError) if module else ()


def _failures() -> tuple[type[Exception], ...]:
    """Roots of error trees that are no OSError, of libraries that are loaded."""
    found: list[type[Exception]] = [OSError, RuntimeError, ValueError]
    for module, name in (
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("aiohttp", "ClientError"),
    ):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)


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
