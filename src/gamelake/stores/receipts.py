"""Receipts as text, and the state of a table as what its receipts add up to.

A receipt travels inside the snapshot's summary; one too long for that (the summary is written again
with every later commit) lies in a file beside the metadata, and the summary holds its path and hash.
Paths are relative to the table's folder. When snapshots expire, what their receipts said is folded
into an index file, named by a property of the table in the same commit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gamelake.errors import Place, StoreError
from gamelake.model.publish import PublishedSlice, Receipt
from gamelake.model.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gamelake.model.publish import StagedSlice

INLINE_LIMIT = 2_000  # characters; ten of these make a metadata file of some 30 kB

RECEIPT_ID = "gamelake.receipt-id"
RECEIPT = "gamelake.receipt"
RECEIPT_FILE = "gamelake.receipt-file"
RECEIPT_HASH = "gamelake.receipt-sha256"
TOKEN = "gamelake.token"  # noqa: S105 – the lease's fencing token, no secret
SLICE_COLUMNS = "gamelake.slice-columns"
INDEX_FILE = "gamelake.index-file"
INDEX_HASH = "gamelake.index-sha256"


@dataclass(frozen=True)
class TableState:
    """Newest version of every slice, after the commit with that sequence number."""

    sequence: int = 0
    slices: Mapping[Slice, PublishedSlice] = field(default_factory=dict, hash=False)

    @property
    def file_count(self) -> int:
        """Data files the table must hold in this state."""
        return sum(len(part.files) for part in self.slices.values())


def fold(state: TableState, commits: Iterable[tuple[int, Receipt]]) -> TableState:
    """State after all commits later than the state's own, given in order of sequence."""
    slices = dict(state.slices)
    sequence = state.sequence
    for number, receipt in commits:
        if number > state.sequence:
            slices.update({part.slice: part for part in receipt.slices})
            sequence = number
    return TableState(sequence, slices)


def published(part: StagedSlice, current: Mapping[Slice, PublishedSlice]) -> PublishedSlice:
    """The staged slice as the version after its current one."""
    known = current.get(part.slice)
    return PublishedSlice(
        slice=part.slice,
        version=known.version + 1 if known else 1,
        files=tuple(file.path for file in part.files),
        rows=part.rows,
        bytes=part.bytes,
        content_hash=part.content_hash,
        fingerprint=part.fingerprint,
        inputs=part.inputs,
    )


def refuse_repeats(slices: Sequence[StagedSlice]) -> None:
    """ValueError for a commit of no slices, or one that names a slice twice."""
    names = [part.slice for part in slices]
    if not names:
        problem = "a commit needs at least one slice"
        raise ValueError(problem)
    if len(set(names)) < len(names):
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        problem = f"slices named twice in one commit: {', '.join(twice)}"
        raise ValueError(problem)


def receipt_text(receipt: Receipt, root: str) -> str:
    """One line of JSON; files below `root` are written relative to it."""
    body = {
        "id": receipt.id,
        "run": receipt.run_id,
        "step": receipt.step,
        "dataset": receipt.dataset,
        "at": receipt.published_at.isoformat(),
        "slices": [_slice_json(part, root) for part in receipt.slices],
    }
    return json.dumps(body, separators=(",", ":"))


def parse_receipt(text: str, root: str, where: str) -> Receipt:
    """Read what `receipt_text` wrote; StoreError names `where` when it cannot be read."""
    try:
        body = json.loads(text)
        return Receipt(
            id=body["id"],
            run_id=body["run"],
            step=body["step"],
            dataset=body["dataset"],
            slices=tuple(_parse_slice(part, root) for part in body["slices"]),
            published_at=datetime.fromisoformat(body["at"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        problem = "this receipt cannot be read"
        raise StoreError(problem, Place(where), hint="restore the lake folder from a backup") from error


def index_text(state: TableState, root: str) -> str:
    """The state as JSON. What slices were made from is left out: the ledger has it by then."""
    parts = [_slice_json(replace(part, inputs={}), root) for part in state.slices.values()]
    return json.dumps({"sequence": state.sequence, "slices": parts}, separators=(",", ":"))


def parse_index(text: str, root: str, where: str) -> TableState:
    """Read what `index_text` wrote."""
    try:
        body = json.loads(text)
        parts = [_parse_slice(part, root) for part in body["slices"]]
        return TableState(body["sequence"], {part.slice: part for part in parts})
    except (ValueError, KeyError, TypeError) as error:
        problem = "the table's slice index cannot be read"
        raise StoreError(problem, Place(where), hint="restore the lake folder from a backup") from error


def digest(text: str) -> str:
    """SHA-256 of the text, as hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _slice_json(part: PublishedSlice, root: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "slice": str(part.slice),
        "version": part.version,
        "files": [file.removeprefix(f"{root}/") for file in part.files],
        "rows": part.rows,
        "bytes": part.bytes,
        "hash": part.content_hash,
        "fingerprint": part.fingerprint,
    }
    if part.inputs:
        body["inputs"] = {dataset: dict(read) for dataset, read in part.inputs.items()}
    return body


def _parse_slice(body: Mapping[str, Any], root: str) -> PublishedSlice:
    return PublishedSlice(
        slice=Slice.parse(body["slice"]),
        version=int(body["version"]),
        files=tuple(file if file.startswith("/") else f"{root}/{file}" for file in body["files"]),
        rows=int(body["rows"]),
        bytes=int(body["bytes"]),
        content_hash=body["hash"],
        fingerprint=body["fingerprint"],
        inputs=body.get("inputs", {}),
    )
