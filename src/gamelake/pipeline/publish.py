"""Stage → audit → commit → record: the only way rows become visible."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gamelake import failpoints
from gamelake.errors import CheckFailedError, StoreError
from gamelake.model.publish import PublishedSlice, Receipt, StagedSlice
from gamelake.model.steps import Mode, OnEmpty
from gamelake.pipeline.audit import Audit, audit, explain_failures, shrink_result
from gamelake.pipeline.targets import recover
from gamelake.stores.base import lease_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gamelake.engines.base import Session, Written
    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.publish import StagedFile
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.pipeline.evidence import Evidence
    from gamelake.pipeline.project import Project

__all__ = ["Candidate", "Origin", "Publisher", "discard", "discard_files", "recover"]

_COMMIT_WAIT = 120.0  # seconds in the queue for a table before giving up
_TRIES = 3


@dataclass(frozen=True)
class Origin:
    """Where staged rows come from: the run, the step, and what it read."""

    run_id: str
    step: str
    fingerprint: str = ""
    inputs: Mapping[str, Mapping[str, int]] | None = None
    content_hash: str | None = None  # when whoever made the rows knows one


@dataclass(frozen=True)
class Candidate:
    """One output slice, staged and audited."""

    output: Output
    staged: StagedSlice
    audit: Audit


class Publisher:
    """Audits staged slices and publishes them for one run."""

    def __init__(self, project: Project, run_id: str) -> None:
        self._project = project
        self._run_id = run_id

    def ensure(self, output: Output) -> None:
        """Create or check the output's tables, in the lake and in its target."""
        if not output.in_place:
            self._project.lake.ensure_table(output)
        self._project.targets.ensure(output)

    def stage_path(self, output: Output) -> Path:
        """Fresh file name where rows of this output may be written."""
        folder = self._project.lake.staging_folder(str(output.dataset), self._run_id)
        return folder / f"{self._project.ids.new('part')}.parquet"

    def examine(
        self,
        session: Session,
        output: Output,
        for_slice: Slice,
        written: Sequence[Written],
        origin: Origin,
        previous: SliceVersion | None,
        evidence: Evidence,
    ) -> Candidate:
        """Audit one staged slice; CheckFailedError when a blocking check says no, and its files are gone then."""
        failpoints.hit("publish.after_stage")
        found = audit(
            session, output, for_slice, written, evidence=evidence, content_hash=origin.content_hash
        )
        keeps = found.rows == 0 and output.on_empty is OnEmpty.KEEP  # then nothing is lost
        if output.mode is Mode.SNAPSHOT_REPLACE and previous is not None and not keeps:
            guard = shrink_result(output, found.rows, previous.rows)
            found = Audit(found.rows, found.content_hash, (*found.results, guard))
        dataset = str(output.dataset)
        self._project.ledger.save_checks(self._run_id, origin.step, dataset, for_slice, found.results)
        if found.blocking:
            problem = explain_failures(output, for_slice, found.blocking)
            discard(written)
            hint = "the old rows stay; failing rows are listed with the run's checks"
            raise CheckFailedError(problem, hint=hint)
        failpoints.hit("publish.after_audit")
        staged = self._staged(output, for_slice, written, origin, found, previous)
        evidence.add(dataset, for_slice, staged.rows, [file.path for file in staged.files])
        return Candidate(output, staged, found)

    def publish(self, output: Output, slices: Sequence[StagedSlice], step: str) -> Receipt:
        """Commit audited slices of one output and record the receipt; a crash in between is harmless."""
        receipt_id = self._project.ids.new("rcpt")
        note = self._note if output.in_place else self._commit
        receipt = note(output, slices, receipt_id, step)
        self._project.ledger.record_publish(receipt)
        failpoints.hit("publish.after_record")
        return receipt

    def _commit(self, output: Output, slices: Sequence[StagedSlice], receipt_id: str, step: str) -> Receipt:
        project, dataset = self._project, str(output.dataset)
        for attempt in range(1, _TRIES + 1):
            try:
                with (
                    project.targets.publishing(output, slices, receipt_id) as target,
                    project.ledger.lease(
                        lease_name(dataset),
                        self._run_id,
                        ttl=project.settings.lease_seconds,
                        wait=_COMMIT_WAIT,
                    ) as lease,
                ):
                    # a first try that failed after the table took it left its receipt there
                    receipt = project.lake.commit(
                        output, slices, receipt_id=receipt_id, run_id=self._run_id, step=step, lease=lease
                    )
                    target.finish(receipt, lease)
                return receipt  # the target has committed too
            except StoreError:
                if attempt == _TRIES:
                    raise
        raise AssertionError

    def _note(self, output: Output, slices: Sequence[StagedSlice], receipt_id: str, step: str) -> Receipt:
        """The receipt of slices whose rows stay where they are: the ledger is the only one to know of them."""
        dataset = str(output.dataset)
        had = self._project.ledger.current(dataset)
        published = tuple(
            PublishedSlice(
                part.slice,
                had[part.slice].version + 1 if part.slice in had else 1,
                tuple(file.path for file in part.files),
                part.rows,
                part.bytes,
                part.content_hash,
                part.fingerprint,
                part.inputs,
            )
            for part in slices
        )
        return Receipt(receipt_id, self._run_id, step, dataset, published, self._project.clock.now())

    def _staged(
        self,
        output: Output,
        for_slice: Slice,
        written: Sequence[Written],
        origin: Origin,
        found: Audit,
        previous: SliceVersion | None,
    ) -> StagedSlice:
        inputs = origin.inputs or {}
        if found.rows == 0 and output.on_empty is OnEmpty.KEEP and previous is not None:
            kept = self._project.lake.restage(previous)
            return StagedSlice(
                for_slice, kept.files, kept.rows, kept.content_hash, origin.fingerprint, inputs
            )
        files = tuple(part.file for part in written)
        return StagedSlice(for_slice, files, found.rows, found.content_hash, origin.fingerprint, inputs)


def discard(written: Sequence[Written]) -> None:
    """Remove staged files that nobody will publish."""
    discard_files(part.file for part in written)


def discard_files(files: Iterable[StagedFile]) -> None:
    """The same, of files alone; those of others stay."""
    for file in files:
        if not file.foreign:
            Path(file.path).unlink(missing_ok=True)
