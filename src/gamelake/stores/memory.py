"""The table store's twin in memory: the same promises in the plainest way, for tests and for reading."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from gamelake.errors import NotFoundError, Place, did_you_mean
from gamelake.model.publish import PublishedSlice, Receipt, StagedFile, StagedSlice
from gamelake.model.schema import Schema
from gamelake.stores.drift import evolution, refuse_bad_slice_columns, refuse_drift
from gamelake.stores.footers import read_footer, verify_files
from gamelake.stores.receipts import published, refuse_repeats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.clock import Clock
    from gamelake.ledger.rows import Lease, SliceVersion
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output


class MemoryStore:
    """Tables that live as long as this object; the staged files themselves stay where they are."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._outputs: dict[str, Output] = {}
        self._current: dict[str, dict[Slice, PublishedSlice]] = {}
        self._receipts: dict[str, dict[str, Receipt]] = {}
        self._lock = RLock()

    def ensure_table(self, output: Output) -> None:
        name = str(output.dataset)
        with self._lock:
            known = self._outputs.get(name)
            if known is None or not self._receipts.get(name):  # nothing was ever committed
                refuse_bad_slice_columns(output)
                self._outputs[name] = known = output
        refuse_drift(output, known.schema, known.slice_columns)

    def datasets(self) -> list[str]:
        return sorted(self._outputs)

    def schema(self, dataset: str) -> Schema:
        return self._output(dataset).schema

    def staging_folder(self, dataset: str, run_id: str) -> Path:
        folder = self._folder / dataset / run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def verify(self, output: Output, slice: Slice, files: Sequence[StagedFile]) -> None:
        verify_files(output, slice, files)

    def commit(
        self,
        output: Output,
        slices: Sequence[StagedSlice],
        *,
        receipt_id: str,
        run_id: str,
        step: str,
        lease: Lease,
    ) -> Receipt:
        refuse_repeats(slices)
        name = str(output.dataset)
        self._output(name)
        with self._lock:
            receipts = self._receipts.setdefault(name, {})
            if receipt_id in receipts:
                return receipts[receipt_id]
            for part in slices:
                self.verify(output, part.slice, part.files)
            lease.check()
            self._evolve(output)
            current = self._current.get(name, {})
            parts = tuple(published(part, current) for part in slices)
            receipt = Receipt(receipt_id, run_id, step, name, parts, self._clock.now())
            self._current[name] = {**current, **{part.slice: part for part in parts}}
            receipts[receipt_id] = receipt
            return receipt

    def restage(self, version: SliceVersion) -> StagedSlice:
        return restage(version)

    def find_receipt(self, dataset: str, receipt_id: str) -> Receipt | None:
        return self._receipts.get(dataset, {}).get(receipt_id)

    def receipts(self, dataset: str) -> list[Receipt]:
        with self._lock:
            return list(self._receipts.get(dataset, {}).values())

    def current(self, dataset: str) -> dict[Slice, PublishedSlice]:
        return dict(self._current.get(dataset, {}))

    def files(self, dataset: str) -> dict[Slice, list[str]]:
        return {part.slice: list(part.files) for part in self.current(dataset).values() if part.files}

    def _evolve(self, output: Output) -> None:
        known = self._outputs[str(output.dataset)]
        new, wider = evolution(output, known.schema)
        if new or wider:
            types = {column.name: column for column in wider}
            kept = [types.get(column.name, column) for column in known.schema.columns]
            self._outputs[str(output.dataset)] = replace(known, schema=Schema((*kept, *new)))

    def _output(self, dataset: str) -> Output:
        if dataset not in self._outputs:
            problem = f"the lake has no table `{dataset}`"
            raise NotFoundError(problem, hint=did_you_mean(dataset, self._outputs))
        return self._outputs[dataset]


def restage(version: SliceVersion) -> StagedSlice:
    """See `TableStore.restage`; the same for every store whose files are on this machine."""
    gone = [file for file in version.files if not Path(file).is_file()]
    if gone:
        problem = f"version {version.version} of `{version.dataset}` {version.slice} is no longer kept"
        raise NotFoundError(problem, Place(gone[0]), hint="`keep_versions` says how many versions stay")
    files = tuple(
        StagedFile(file, read_footer(file).num_rows, Path(file).stat().st_size) for file in version.files
    )
    return StagedSlice(
        version.slice, files, version.rows, version.content_hash, version.fingerprint, version.inputs
    )
