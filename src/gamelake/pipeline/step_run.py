"""One step inside a run: its slices in batches, each batch staged, audited and published."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

from gamelake.errors import (
    CancelledRunError,
    CheckFailedError,
    ConflictError,
    GamelakeError,
    LayoutError,
    OperatorError,
)
from gamelake.layouts.template import render
from gamelake.model.runs import SliceState
from gamelake.model.slices import Slice
from gamelake.model.steps import FoldStep, PythonStep, SqlStep
from gamelake.pipeline.assess import Assessment, PlanState, assess
from gamelake.pipeline.batching import BATCH_SLICES, batches_of, trace, unexpected
from gamelake.pipeline.carry import Carry
from gamelake.pipeline.events import Progress, seconds_since
from gamelake.pipeline.evidence import Evidence, looks_back, order_of
from gamelake.pipeline.fold import BASE, DELTA, by_slice, fold_sql
from gamelake.pipeline.fold import task as fold_task
from gamelake.pipeline.freshness import versions_read
from gamelake.pipeline.known import Known
from gamelake.pipeline.needed import needed_of
from gamelake.pipeline.places import placed, refuse_misnamed
from gamelake.pipeline.publish import Candidate, Origin, Publisher, discard, discard_files
from gamelake.pipeline.results import FailedSlice, StepResult
from gamelake.pipeline.staging import BatchContext, RowStage, progress_teller
from gamelake.pipeline.task import Task
from gamelake.pipeline.views import reading, show, show_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gamelake.engines.base import Engine, Session, Written
    from gamelake.ledger.rows import SliceSummary
    from gamelake.model.steps import Step
    from gamelake.pipeline.assess import PlanItem
    from gamelake.pipeline.events import ProgressKind
    from gamelake.pipeline.scope import RunScope

_LEASE_POLL = 1.0  # seconds between two looks at a cancel request while waiting for another run


class StepRun:
    """Builds what a step lacks, as the ledger has it once everything upstream is done."""

    def __init__(self, scope: RunScope, step: Step, position: int) -> None:
        self._scope = scope
        self._project = scope.project
        self._step = step
        self._position = position
        self._publisher = Publisher(scope.project, scope.run_id)
        self._result = StepResult(step.name)
        self._numbers = count(1)
        self._total = 0
        self._previous: Mapping[str, Mapping[Slice, SliceSummary]] = {}
        self._carry: Carry | None = None
        self._publishing = Lock()
        self._evidence = Evidence.of(scope.project, ())
        self._engine: Engine = scope.engine if isinstance(step, SqlStep) else scope.project.engine

    def run(self) -> StepResult:
        """Do it all; failures end up in the result, only a cancel is raised."""
        start = self._project.clock.monotonic()
        try:
            found = self._assess()
        except (OperatorError, LayoutError) as err:  # another system does not tell what there is
            return self._fail(None, err)
        self._result.fresh = sum(item.state is PlanState.FRESH for item in found.items)
        if any(item.is_work for item in found.items):
            with self._lease():
                # another run may have built everything while we waited
                self._build(self._assess())
        else:
            self._hold_back(found)
        self._result.seconds = seconds_since(self._project.clock, start)
        return self._result

    def _assess(self) -> Assessment:
        scope = self._scope
        forced = self._step.name in scope.forced
        slices = needed_of(self._project.graph, self._step, scope.slices, scope.names)
        return assess(self._project, self._step, force=forced, slices=slices, gaps=scope.gaps)

    @contextmanager
    def _lease(self) -> Iterator[None]:
        """Be the only run at work on this step: two runs at once do the work once."""
        name, ttl = f"step:{self._step.name}", self._project.settings.lease_seconds
        with ExitStack() as stack:
            while True:
                self._scope.cancel.check()
                lease = self._project.ledger.lease(name, self._scope.run_id, ttl=ttl, wait=_LEASE_POLL)
                try:
                    stack.enter_context(lease)
                except ConflictError:
                    continue
                break
            yield

    def _build(self, found: Assessment) -> None:
        self._previous = found.previous
        self._carry = Carry(self._scope, found, self._result) if found.index.own else None
        self._evidence = Evidence.of(self._project, self._step.outputs)
        self._hold_back(found)
        work = self._unblocked(found)
        self._result.fresh = sum(item.state is PlanState.FRESH for item in found.items)
        self._total = len(work)
        if not work:
            return
        start = self._project.clock.monotonic()
        self._tell("step_started")
        try:
            for output in self._step.outputs:
                self._publisher.ensure(output)
            self._runbatches(work, found)
        except CancelledRunError:
            raise
        except GamelakeError as err:  # nothing of this step can be built, or its target would not take it
            self._fail(work[0], err, everything=True)
        self._tell("step_finished", seconds=seconds_since(self._project.clock, start))

    def _hold_back(self, found: Assessment) -> None:
        """Note what cannot be built now, so that what reads it waits too."""
        for item in found.items:
            if item.state is PlanState.BLOCKED:
                self._result.blocked.append(item.slice)
                self._scope.failures.add(self._step.outputs, item.slice)
                self._tell("step_blocked", message=f"{item.slice}: {item.reason}")
        self._result.waiting = [item.slice for item in found.items if item.state is PlanState.WAITING]

    def _runbatches(self, work: Sequence[PlanItem], found: Assessment) -> None:
        """One batch after the other, or several at once where the request allows it and no slice needs another."""
        at_once = self._scope.at_once if isinstance(self._step, SqlStep) and self._carry is None else 1
        if looks_back(self._step.outputs):
            at_once, output = 1, self._step.outputs[0]
            work = sorted(work, key=lambda item: order_of(output, item.slice))
        most = max(1, min(BATCH_SLICES, -(-len(work) // at_once)))
        batches = list(batches_of(work, found, most))
        if at_once == 1 or len(batches) == 1:
            for batch in batches:
                self._scope.cancel.check()
                self._run_batch(batch, found)
            return
        with ThreadPoolExecutor(at_once, thread_name_prefix=f"slices {self._step.name}") as pool:
            futures = [pool.submit(self._run_batch, batch, found) for batch in batches]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _unblocked(self, found: Assessment) -> list[PlanItem]:
        free = []
        reaches = found.index.reaches.values()
        for item in found.items:
            if not item.is_work and item.state is not PlanState.DEPENDS:
                continue
            cause = self._scope.failures.blocking(reaches, item.slice, self._step.outputs)
            if cause is None or item.state is PlanState.DEPENDS:  # that one is fresh without it
                free.append(item)
                continue
            self._result.blocked.append(item.slice)
            self._scope.failures.add(self._step.outputs, item.slice)
            self._tell("step_blocked", message=f"{item.slice} waits for {cause}, which failed")
        return free

    def _run_batch(self, batch: Sequence[PlanItem], found: Assessment) -> None:
        """Stage, audit and publish one batch; its task in the ledger tells how it went."""
        task = self._task(batch)
        task.save("running")
        if self._carry is None:
            self._mark([item.slice for item in batch], SliceState.RUNNING)
        failed = len(self._result.failed)
        try:
            with self._engine.session() as session, self._scope.cancel.guarding(session):
                candidates = self._candidates(batch, found, session, task)
            self._publish(candidates)
        except CancelledRunError:
            self._stop(batch, task)
            raise
        except LayoutError as err:
            task.save("failed", error=err)
            self._give_up(batch, err.problem)
            raise
        except Exception as err:
            if self._scope.cancel.asked:  # what a cancel interrupts may say so in its own words
                self._stop(batch, task)
                self._scope.cancel.check()
            self._retry_or_fail(batch, found, err, task)
            return
        rows = sum(candidate.staged.rows for of_slice in candidates for candidate in of_slice)
        ours = {item.slice for item in batch}
        error = next((f.error for f in self._result.failed[failed:] if f.slice in ours), None)
        task.save("failed" if error else "succeeded", rows=rows, error=error)

    def _stop(self, batch: Sequence[PlanItem], task: Task) -> None:
        task.save("cancelled")
        self._give_up(batch, "cancelled")

    def _give_up(self, items: Sequence[PlanItem], detail: str) -> None:
        """Mark what was not built as failed; a slice that was rebuilt only by force is as good as before."""
        done = {*self._result.built, *(failure.slice for failure in self._result.failed)}
        open_items = [item for item in items if item.slice not in done]
        as_good = {PlanState.FORCED, PlanState.DEPENDS}
        fresh = [item.slice for item in open_items if item.state in as_good]
        failed = [item.slice for item in open_items if item.state not in as_good]
        self._mark(failed, SliceState.FAILED, detail)
        for dataset in self._previous:
            self._mark_as_before(dataset, fresh)

    def _mark_as_before(self, dataset: str, parts: Sequence[Slice]) -> None:
        """What was published stays: its slices stand as the runs left them that made them."""
        for version in self._project.ledger.whole(self._previous[dataset][part] for part in parts):
            self._project.ledger.mark_slice(dataset, version.slice, SliceState.PUBLISHED, version.run_id)

    def _mark(self, slices: Sequence[Slice], state: SliceState, detail: str = "") -> None:
        for output in self._step.outputs:
            dataset = str(output.dataset)
            self._project.ledger.mark_slices(dataset, slices, state, self._scope.run_id, detail)

    def _task(self, batch: Sequence[PlanItem]) -> Task:
        return Task(
            self._project,
            self._scope.run_id,
            f"{self._step.name}#{next(self._numbers)}",
            self._step.name,
            tuple(str(item.slice) for item in batch),
            self._position,
            self._project.clock.monotonic(),
            self._engine.name,
            judged_against=self._evidence.told(),
        )

    def _candidates(
        self, batch: Sequence[PlanItem], found: Assessment, session: Session, task: Task
    ) -> list[list[Candidate]]:
        if isinstance(self._step, SqlStep):
            return self._from_sql(self._step, batch, found, session, task)
        if isinstance(self._step, FoldStep):
            return self._from_fold(self._step, batch[0], found, session, task)
        return self._from_python(self._step, batch, found, session)

    def _from_sql(
        self, step: SqlStep, batch: Sequence[PlanItem], found: Assessment, session: Session, task: Task
    ) -> list[list[Candidate]]:
        candidates = []
        for planned in batch:
            self._scope.cancel.check()
            item = self._turn(planned)
            if item is None:
                continue
            sql = render(step, item.slice)
            show_inputs(self._project, session, step, found.index, item.slice)
            if task.sql is None and task.id.endswith("#1"):
                with placed(step):
                    refuse_misnamed(step, session.columns(sql))
            task.sql = task.sql or sql.strip()
            with self._failing_alone(item):
                if self._carry:
                    self._carry.refuse_gap(item.slice)
                with placed(step):
                    path = self._publisher.stage_path(step.outputs[0])
                    with reading(self._project, step, found.index, item.slice):
                        written = session.write(sql, step.outputs[0].schema, path)
                staged = {str(step.outputs[0].dataset): written}
                candidates.append(self._examine(item, found, session, staged))
                if self._carry:
                    self._carry.learn(candidates[-1][0].staged)
        return candidates

    def _turn(self, item: PlanItem) -> PlanItem | None:
        """The item as it is to be built now; None when a step that carries state has no need to, or must not."""
        if self._carry is None:
            return item
        now = self._carry.turn(item)
        if now is not None:
            self._mark([now.slice], SliceState.RUNNING)
        return now

    def _from_fold(
        self, step: FoldStep, item: PlanItem, found: Assessment, session: Session, task: Task
    ) -> list[list[Candidate]]:
        output, dataset = step.outputs[0], str(step.inputs[DELTA])
        deltas = self._project.graph.outputs[dataset]
        forced = step.name in self._scope.forced
        versions = [] if forced else self._project.ledger.versions(str(output.dataset))
        is_equal = Known(self._project).is_equal
        todo = fold_task(
            step,
            self._project.ledger.whole(found.index.seen_as(DELTA, item.slice)),
            versions,
            item.fingerprint,
            is_equal,
            by_slice(deltas),
        )
        show(self._project, session, DELTA, dataset, [file for delta in todo.deltas for file in delta.files])
        show(self._project, session, BASE, str(output.dataset), list(todo.base.files) if todo.base else [])
        task.sql = fold_sql(step, deltas.schema.names)
        written = session.write(task.sql, output.schema, self._publisher.stage_path(output))
        candidates = []
        with self._failing_alone(item):
            staged = {str(output.dataset): written}
            candidates.append(self._examine(item, found, session, staged))
        return candidates

    def _from_python(
        self, step: PythonStep, batch: Sequence[PlanItem], found: Assessment, session: Session
    ) -> list[list[Candidate]]:
        settings = self._project.settings.section(step.outputs[0].dataset.pack)
        engine = self._project.engine
        with (
            RowStage(self._publisher, step.outputs) as stage,
            BatchContext(
                step,
                [item.slice for item in batch],
                lambda name, part: self._project.ledger.whole(found.index.feeding(name, part)),
                stage,
                session,
                settings,
                engine.spill,
                progress_teller(self._scope.reporter, self._scope.cancel, step.name),
            ) as context,
        ):
            step.run(context)
            candidates = []
            for item in batch:
                with self._failing_alone(item):
                    staged = {str(o.dataset): stage.written(str(o.dataset), item.slice) for o in step.outputs}
                    if step.refresh is not None:  # rows have no order there, and files have
                        staged = {n: [replace(w, digest=None) for w in files] for n, files in staged.items()}
                    candidates.append(self._examine(item, found, session, staged))
        return candidates

    def _examine(
        self, item: PlanItem, found: Assessment, session: Session, staged: dict[str, list[Written]]
    ) -> list[Candidate]:
        """Audit every output of one slice; all of them pass, or none is published and all their files go."""
        try:
            return self._audit(item, found, session, staged)
        except CheckFailedError:
            for written in staged.values():
                discard(written)
            raise

    def _audit(
        self, item: PlanItem, found: Assessment, session: Session, staged: dict[str, list[Written]]
    ) -> list[Candidate]:
        read = versions_read(found.index.all_feeding(item.slice))
        origin = Origin(self._scope.run_id, self._step.name, item.fingerprint, read)
        return [
            self._publisher.examine(
                session,
                output,
                item.slice,
                staged[str(output.dataset)],
                origin,
                found.previous[str(output.dataset)].get(item.slice),
                self._evidence,
            )
            for output in self._step.outputs
        ]

    @contextmanager
    def _failing_alone(self, item: PlanItem) -> Iterator[None]:
        """A slice whose rows are unfit fails by itself; the others of its batch go on."""
        try:
            yield
        except (CheckFailedError, LayoutError) as err:
            self._fail(item, err)

    def _publish(self, candidates: Sequence[Sequence[Candidate]]) -> None:
        candidates = [of_slice for of_slice in candidates if not self._is_read_unchanged(of_slice)]
        self._mark([passed[0].staged.slice for passed in candidates], SliceState.AUDITED)
        for position, output in enumerate(self._step.outputs):
            staged = [slice_candidates[position].staged for slice_candidates in candidates]
            if staged:
                with self._publishing:  # else batches at once would poll for the table's lease
                    self._publisher.publish(output, staged, self._step.name)
        with self._publishing:  # batches at once add to one result
            for slice_candidates in candidates:
                self._result.add(slice_candidates)
        self._tell("step_progress")

    def _is_read_unchanged(self, candidates: Sequence[Candidate]) -> bool:
        """Another system that was read again and holds what it held makes no new version."""
        if not isinstance(self._step, PythonStep) or self._step.refresh is None:
            return False
        for candidate in candidates:
            before = self._previous[str(candidate.output.dataset)].get(candidate.staged.slice)
            new = candidate.staged.content_hash, candidate.staged.fingerprint
            if before is None or (before.content_hash, before.fingerprint) != new:
                return False
        for candidate in candidates:
            discard_files(candidate.staged.files)
            self._mark_as_before(str(candidate.output.dataset), [candidate.staged.slice])
        self._result.fresh += 1
        return True

    def _retry_or_fail(
        self, batch: Sequence[PlanItem], found: Assessment, err: Exception, task: Task
    ) -> None:
        """A batch of several slices is tried slice by slice, so that only the guilty one fails."""
        if self._carry:
            self._carry.forget()
        known = err if isinstance(err, GamelakeError) else unexpected(self._step, err)
        task.save("failed", error=known, traceback="" if known is err else trace(err))
        if len(batch) == 1:
            self._fail(batch[0], known)
            return
        failed = {failure.slice for failure in self._result.failed}
        self._evidence = Evidence.of(self._project, self._step.outputs)  # what was staged is gone
        try:
            for item in batch:
                if item.slice not in failed:
                    self._scope.cancel.check()
                    self._run_batch([item], found)
        except (CancelledRunError, LayoutError) as stop:
            self._give_up(batch, "cancelled" if isinstance(stop, CancelledRunError) else stop.problem)
            raise

    def _fail(self, item: PlanItem | None, err: GamelakeError, *, everything: bool = False) -> StepResult:
        part = item.slice if item else Slice()
        self._give_up([item] if item else [], err.problem)
        self._result.failed.append(FailedSlice(part, err))
        self._scope.failures.add(self._step.outputs, Slice() if everything else part)
        self._tell("slice_failed", message=f"{part}: {err.problem}")
        return self._result

    def _tell(self, kind: ProgressKind, *, seconds: float = 0.0, message: str = "") -> None:
        done = len(self._result.built) + len(self._result.failed)
        name, rows = self._step.name, self._result.rows
        progress = Progress(kind, name, done, self._total, rows=rows, seconds=seconds, message=message)
        self._scope.reporter.tell(progress)
