"""Folders of files that others write: which slices there are, in which version. Changes nothing there."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gamelake.errors import OperatorError, Place, StoreError
from gamelake.layouts.fingerprint import fingerprint
from gamelake.model.schema import ColumnType
from gamelake.model.slices import Slice
from gamelake.model.steps import FileFormat
from gamelake.stores.file_system import Entry, FileSystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gamelake.model.schema import Schema
    from gamelake.model.steps import FileInput, SourceInput

_AT_ONCE = 4
_SUFFIXES = {
    FileFormat.PARQUET: (".parquet",),
    FileFormat.CSV: (".csv", ".csv.gz", ".csv.zst"),
    FileFormat.JSON: tuple(
        f".{end}{zipped}" for end in ("json", "jsonl", "ndjson") for zipped in ("", ".gz", ".zst")
    ),
}
Listing = tuple[Entry, ...]
"""Files of one slice, by path."""


class FileSource:
    """What a layout's `file` input reads: the slices of one path."""

    def __init__(self, wanted: SourceInput, read: FileInput, system: FileSystem) -> None:
        self._wanted = wanted
        self._read = read
        self._system = system

    @property
    def in_place(self) -> bool:
        """True when every engine can read the files where they are."""
        return self._system.is_local and self._read.format is FileFormat.PARQUET

    @property
    def is_local(self) -> bool:
        """True when the files are on this machine."""
        return self._system.is_local

    def slices(self) -> dict[Slice, Listing]:
        """Files of every slice there is; a slice folder without files is a slice without rows.

        OperatorError when nothing is there, unless the input may lack it.
        """
        return self._system.asked(self._slices)

    def _slices(self) -> dict[Slice, Listing]:
        found: dict[Slice, Listing] = {}
        for values, place in self._places([({}, self._system.root)], self._read.path.strip("/").split("/")):
            part = Slice(tuple((name, values[name]) for name in self._read.slice_columns))
            found[part] = (*found.get(part, ()), *self._files(place))
        if not found and not self._wanted.may_lack:
            problem = (
                f"`{self._read.path}` is not there: the input `{self._wanted.dataset}` has nothing to read"
            )
            hint = "put the files there, mend `root` of the connection, or say `on_missing: empty`"
            raise OperatorError(problem, Place(self._system.where), hint)
        return {part: tuple(sorted(entries)) for part, entries in found.items()}

    def _places(
        self, starts: list[tuple[dict[str, str], str]], pieces: Sequence[str]
    ) -> list[tuple[dict[str, str], str]]:
        """(values, path) of everything that fits the path, one piece of it after the other."""
        for piece in pieces:
            pattern = _pattern(piece)
            if pattern is None:
                starts = [(values, f"{place.rstrip('/')}/{piece}") for values, place in starts]
                continue
            starts = [
                ({**values, **self._values(match, entry)}, entry.path)
                for values, place in starts
                for entry in self._system.children(place) or ()
                if (match := pattern.fullmatch(entry.name)) and not entry.name.startswith(("_", "."))
            ]
        return (
            starts
            if any("{" in piece for piece in pieces)
            else [s for s in starts if self._system.exists(s[1])]
        )

    def _values(self, match: re.Match[str], entry: Entry) -> dict[str, str]:
        """Slice values that a name tells; OperatorError for one that is none of the column's type."""
        return {
            name: _checked(unquote(text), self._wanted.schema[name].type, name, entry)
            for name, text in match.groupdict().items()
        }

    def _files(self, place: str) -> list[Entry]:
        endings = _SUFFIXES[self._read.format]
        children = self._system.children(place)
        if children is None:
            return []
        if len(children) == 1 and children[0].path == place and not children[0].is_folder:
            return children  # the path names a file, whatever its ending
        shown = [child for child in children if not child.name.startswith(("_", "."))]
        files = [child for child in shown if not child.is_folder and child.name.endswith(endings)]
        if shown and not files:
            others = sorted({c.name for c in shown})[:3]
            problem = f"the folder holds no {self._read.format} files, it holds: {', '.join(others)}"
            hint = "say `format`, or name the folders in `path`: `…/ds={ds}`"
            raise OperatorError(problem, Place(place), hint)
        return files

    def fetched(self, entries: Listing, folder: Path) -> list[Path]:
        """Copies of the files on this machine, whole and of one version (StoreError); local ones as they are."""
        if self._system.is_local:
            return [Path(entry.path) for entry in entries]
        folder.mkdir(parents=True, exist_ok=True)
        return [
            self._system.asked(partial(self._system.fetch, entry, folder / f"{number}-{entry.name}"))
            for number, entry in enumerate(entries)
        ]


def version(entries: Iterable[Entry]) -> str:
    """What tells one state of a slice's files from another, without reading them."""
    return fingerprint(*(f"{entry.path}\0{entry.size}\0{entry.mark}" for entry in sorted(entries)))


def content_hash(paths: Sequence[Path], schema: Schema) -> str:
    """Hash of what the files hold, whatever they are called, as rows of a schema."""
    shape = repr([(column.name, column.type.value, column.nullable) for column in schema.columns])
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hash") as pool:
        return fingerprint(shape, *sorted(pool.map(_digest, paths)))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_changed(files: Sequence[str], was: str) -> None:
    """StoreError naming a local slice whose files are not of that `version` any more."""
    if not files:
        return
    try:
        now = version(Entry.of(Path(file)) for file in files)
    except OSError as error:
        problem = f"a file went away while it was read: {error.strerror}"
        raise StoreError(
            problem, Place(str(error.filename)), "run again: it reads what is there now"
        ) from error
    if now != was:
        problem = "files changed while they were read"
        raise StoreError(problem, Place(str(Path(files[0]).parent)), "run again: it reads what is there now")


def _pattern(piece: str) -> re.Pattern[str] | None:
    """`ds={ds}` → what it matches, a group for each column; None for a plain name."""
    if "{" not in piece:
        return None
    parts = re.split(r"\{(\w+)\}", piece)
    return re.compile("".join(f"(?P<{p}>.+?)" if n % 2 else re.escape(p) for n, p in enumerate(parts)))


def _checked(text: str, kind: ColumnType, name: str, entry: Entry) -> str:
    try:
        if kind is ColumnType.DATE:
            return date.fromisoformat(text).isoformat()
        return str(int(text)) if kind in {ColumnType.INT, ColumnType.BIGINT} else text
    except ValueError:
        problem = f"`{text}` is no value of the slice column `{name}`, which is {kind.value}"
        hint = "remove it, or begin its name with `_` so that it is passed over"
        raise OperatorError(problem, Place(entry.path), hint) from None
