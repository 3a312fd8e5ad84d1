"""What a publish hands over and what the target answers: staged slices in, a receipt out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gamelake.model.slices import Slice


@dataclass(frozen=True)
class StagedFile:
    """A Parquet file nobody can see yet: absolute path, rows and bytes as its writer counted them."""

    path: str
    rows: int
    bytes: int
    foreign: bool = False  # somebody else's, read where it is: never to be removed


@dataclass(frozen=True)
class StagedSlice:
    """All rows one slice shall have; no files = the slice becomes empty.

    `inputs` says what the rows were made from: dataset → slice (as text) → version read.
    """

    slice: Slice
    files: tuple[StagedFile, ...]
    rows: int
    content_hash: str
    fingerprint: str
    inputs: Mapping[str, Mapping[str, int]] = field(default_factory=dict, hash=False)

    @property
    def bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class PublishedSlice:
    """One version of a slice as its table holds it; the first is 1, each later one is one more."""

    slice: Slice
    version: int
    files: tuple[str, ...]
    rows: int
    bytes: int
    content_hash: str
    fingerprint: str
    inputs: Mapping[str, Mapping[str, int]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Receipt:
    """Proof of one commit, kept by the target inside the commit itself."""

    id: str
    run_id: str
    step: str
    dataset: str
    slices: tuple[PublishedSlice, ...]
    published_at: datetime

    @property
    def rows(self) -> int:
        """Rows of all published slices together."""
        return sum(part.rows for part in self.slices)
