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


LAKE_FOLDER = "gamelake.lake-folder"  # where the lake is now
EARLIER_HOMES = "gamelake.earlier-homes"  # where it was when some of its tables were made, one folder a line


class LocalFileIO(FileIO):
    """Plain files; what is written is on the disk before `close` returns.

    A catalogue that survives a power cut must not name metadata that did not. Paths into a folder the lake was in
    before are taken for the same paths in the one it is in now.
    """

    def new_input(self, location: str) -> InputFile:
        return _LocalFile(location, self._path(location))

    def new_output(self, location: str) -> OutputFile:
        return _LocalFile(location, self._path(location))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        self._path(location if isinstance(location, str) else location.location).unlink()

    def _path(self, location: str) -> Path:
        path = location.removeprefix("file://")
        now = self.properties.get(LAKE_FOLDER, "")
        if not path.startswith(f"{now}/"):
            for before in filter(None, self.properties.get(EARLIER_HOMES, "").split("\n")):
                if path.startswith(f"{before}/"):
                    return Path(now + path[len(before) :])
        return Path(path)


class _LocalFile(InputFile, OutputFile):
    def __init__(self, location: str, path: Path) -> None:
        super().__init__(location)
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.is_file()

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002, FBT001, FBT002 – pyiceberg's signature
        return cast("InputStream", self._path.open("rb"))

    def to_input_file(self) -> InputFile:
        return self

    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: FBT001, FBT002 – pyiceberg's signature
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return _DurableStream(self._path.open("wb" if overwrite else "xb"))


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
