"""Files of the lake on a local disk, durable once closed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from pyiceberg.io import FileIO, InputFile, OutputFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from pyiceberg.io import InputStream, OutputStream


class LocalFileIO(FileIO):
    """Plain files; what is written is on the disk before `close` returns.

    A catalogue that survives a power cut must not name metadata that did not.
    """

    def new_input(self, location: str) -> InputFile:
        return _LocalFile(location)

    def new_output(self, location: str) -> OutputFile:
        return _LocalFile(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        path = location if isinstance(location, str) else location.location
        Path(_path(path)).unlink()


class _LocalFile(InputFile, OutputFile):
    def __len__(self) -> int:
        return Path(_path(self.location)).stat().st_size

    def exists(self) -> bool:
        return Path(_path(self.location)).is_file()

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002, FBT001, FBT002 – pyiceberg's signature
        return cast("InputStream", Path(_path(self.location)).open("rb"))

    def to_input_file(self) -> InputFile:
        return self

    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: FBT001, FBT002 – pyiceberg's signature
        path = Path(_path(self.location))
        path.parent.mkdir(parents=True, exist_ok=True)
        return _DurableStream(path.open("wb" if overwrite else "xb"))


class _DurableStream:
    """An output stream that syncs when it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, b: bytes) -> int:
        return self._file.write(b)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exctype: type[BaseException] | None,
        excinst: BaseException | None,
        exctb: TracebackType | None,
    ) -> None:
        self.close()


def write_durably(path: Path, text: str) -> None:
    """Write a new file and have it, and its name, on the disk before returning."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _sync(str(path.parent))


def sync_files(paths: Iterable[str]) -> None:
    """Have what was written to files, or the names in folders, on the disk.

    Several at a time: a file system writes its journal once for all who wait for it.
    """
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_sync, paths))


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _path(location: str) -> str:
    return location.removeprefix("file://")
