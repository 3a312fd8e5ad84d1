"""How slices from outside enter: the same staging, audit and commit that steps use."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamelake.engines.base import Written
from gamelake.engines.footers import footer_facts
from gamelake.errors import CancelledRunError
from gamelake.ledger.rows import TaskRow
from gamelake.model.publish import StagedFile
from gamelake.pipeline.events import Cancel, Progress, Reporter, seconds_since
from gamelake.pipeline.evidence import Evidence
from gamelake.pipeline.openlineage import SourceLog
from gamelake.pipeline.publish import Origin, Publisher, recover
from gamelake.pipeline.staging import RowStage
from gamelake.stores.footers import read_footer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from gamelake.model.publish import Receipt, StagedSlice
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.pipeline.events import Listener
    from gamelake.pipeline.project import Project


class SourceRun:
    """Publishes slices for one run of a source. Not for several threads at once."""

    def __init__(self, project: Project, run_id: str, name: str, cancel: Cancel, lineage: SourceLog) -> None:
        self.run_id = run_id
        self._project = project
        self._name = name
        self._cancel = cancel
        self._lineage = lineage
        self._reporter = Reporter(project.ledger, project.clock, run_id, lineage)
        self._publisher = Publisher(project, run_id)
        self._tasks = 0

    def staging_file(self, output: Output) -> Path:
        """Fresh Parquet file name for callers that write files themselves; pass it to `publish`."""
        self._project.lake.ensure_table(output)
        return self._publisher.stage_path(output)

    def publish(
        self,
        output: Output,
        slices: Mapping[Slice, Iterable[pa.Table | pa.RecordBatchReader | Path]],
        *,
        fingerprints: Mapping[Slice, str] | None = None,
        content_hashes: Mapping[Slice, str] | None = None,
    ) -> Receipt | None:
        """Make rows (or Parquet files from `staging_file`) the content of their slices, in one commit.

        Slices that hold the same rows already are left as they are; None when that is all of them.
        Whoever knows a hash of a slice's content (equal exactly when the rows are) gives it in
        `content_hashes`; otherwise the audit reads all rows once to make one.
        A blocking check that fails publishes nothing of this call: CheckFailedError.
        """
        project, start = self._project, self._project.clock.monotonic()
        self._lineage.publishing(output)
        project.lake.ensure_table(output)
        project.targets.ensure(output)
        current = project.ledger.current(str(output.dataset))
        hashes, marks = content_hashes or {}, fingerprints or {}
        evidence = Evidence.of(project, [output])
        staged: list[StagedSlice] = []
        ours: set[str] = set()
        with (
            project.engine.session() as session,
            self._cancel.guarding(session),
            RowStage(self._publisher, [output]) as stage,
        ):
            for part, contents in slices.items():
                self._cancel.check()
                written = [w for w in (self._stage(stage, output, part, c) for c in contents) if w]
                # a source may give the same rows in another order, which their bytes would not forgive
                written += [replace(w, digest=None) for w in stage.written(str(output.dataset), part)]
                ours |= {found.file.path for found in written}
                origin = Origin(self.run_id, self._name, marks.get(part, ""), content_hash=hashes.get(part))
                candidate = self._publisher.examine(
                    session, output, part, written, origin, current.get(part), evidence
                )
                staged.append(candidate.staged)
        new = [s for s in staged if not _is_there(current.get(s.slice), s.content_hash)]
        published = {file.path for s in new for file in s.files}
        live = {file for version in current.values() for file in version.files}
        _remove(ours - published - live)  # a slice that `on_empty` keeps is staged as its live files
        receipt = self._publisher.publish(output, new, self._name) if new else None
        self._lineage.published(output, sum(s.rows for s in new))
        self._save_task(
            [str(s.slice) for s in staged], sum(s.rows for s in new), seconds_since(project.clock, start)
        )
        return receipt

    def progress(
        self, done: float, total: float, unit: str = "bytes", *, rows: int = 0, message: str = ""
    ) -> None:
        """Report how far the source is; also where a cancelled run stops."""
        self._cancel.check()
        told = Progress("step_progress", self._name, done, total, unit, rows, message=message)
        self._reporter.tell(told)

    def _stage(
        self, stage: RowStage, output: Output, part: Slice, content: pa.Table | pa.RecordBatchReader | Path
    ) -> Written | None:
        """Files are taken as they are; rows go through the stage and are collected there."""
        if not isinstance(content, Path):
            stage.add(str(output.dataset), part, content)
            return None
        footer = read_footer(str(content))
        file = StagedFile(str(content), footer.num_rows, content.stat().st_size)
        return Written(file, footer_facts(footer)) if footer.num_rows else None

    def _save_task(self, slices: list[str], rows: int, seconds: float) -> None:
        self._tasks += 1
        task_id = f"{self._name}#{self._tasks}"
        row = TaskRow(task_id, self._name, tuple(slices), "succeeded", self._tasks, rows, seconds)
        self._project.ledger.save_task(self.run_id, row)


@contextmanager
def source_run(
    project: Project,
    title: str,
    request: Mapping[str, Any] | None = None,
    *,
    name: str = "import",
    listener: Listener | None = None,
) -> Iterator[SourceRun]:
    """A run of a source: created, kept alive and ended around the block; SIGINT cancels it.

    `name` is the source's. An error in the block fails the run and is raised again.
    """
    from gamelake.pipeline.lifecycle import running

    run_id = project.ledger.create_run("import", title, dict(request or {}))
    with running(project, run_id) as cancel:
        recover(project)
        lineage = SourceLog(project, run_id, name, listener)
        try:
            yield SourceRun(project, run_id, name, cancel, lineage)
        except BaseException as err:
            cut_off = isinstance(err, (CancelledRunError, KeyboardInterrupt))
            lineage.close(getattr(err, "problem", None) or str(err) or type(err).__name__, cancelled=cut_off)
            raise
        lineage.close(None, cancelled=False)


def _is_there(current: Any, content_hash: str) -> bool:
    return current is not None and current.content_hash == content_hash


def _remove(files: Iterable[str]) -> None:
    for file in files:
        Path(file).unlink(missing_ok=True)
