"""Building the slices of a step that carries state, each from the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.errors import CheckFailedError
from gamelake.ledger.rows import SliceVersion
from gamelake.model.steps import SqlStep
from gamelake.pipeline.assess import PlanState
from gamelake.pipeline.freshness import OwnSlices, first_day
from gamelake.pipeline.reach import shifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.model.publish import StagedSlice
    from gamelake.model.slices import Slice
    from gamelake.pipeline.assess import Assessment, PlanItem
    from gamelake.pipeline.results import StepResult
    from gamelake.pipeline.scope import RunScope


class Carry:
    """Judges each slice anew when its turn comes: by then the slice before may have come out the same."""

    def __init__(self, scope: RunScope, found: Assessment, result: StepResult) -> None:
        self._scope = scope
        self._found = found
        self._result = result
        self._output = found.judge.step.outputs[0]

    def turn(self, item: PlanItem) -> PlanItem | None:
        """The item as it stands now; None when it need not, or must not, be built."""
        now = self._found.judge.item(item.slice)
        if now.state is PlanState.FRESH:
            self._result.fresh += 1
            return None
        cause = self._broken_before(item.slice)
        if cause is None:
            return now
        self._result.blocked.append(item.slice)
        self._scope.failures.add([self._output], item.slice)
        return None

    def refuse_gap(self, part: Slice) -> None:
        """CheckFailedError when a chain without gaps has no slice for the day before."""
        step = self._found.judge.step
        if not isinstance(step, SqlStep) or not step.chain.daily:
            return
        before, needed = self._own.before(part), shifted(part, self._own.day, -1)
        if before is None and not self._starts_later(part):
            return
        if before is None or before.slice != needed:
            problem = f"`{step.name}` has no slice {needed}, on which {part} goes on: the chain has a gap"
            later = f"; or begin later, by the variable `{step.chain.first}`" if step.chain.first else ""
            raise CheckFailedError(problem, hint=f"bring the day's input, and run again{later}")

    def _starts_later(self, part: Slice) -> bool:
        """True when the inputs have an earlier day of the slice's chain, with which it should have begun."""
        rest, day = self._own.chain(part)
        chains = map(self._own.chain, self._found.index.candidates())
        return any(other == rest and earlier < day for other, earlier in chains)

    def learn(self, staged: StagedSlice) -> None:
        """The next slice reads this one, published or about to be."""
        dataset = str(self._output.dataset)
        had = self._found.previous[dataset].get(staged.slice)
        version = SliceVersion(
            dataset=dataset,
            slice=staged.slice,
            version=had.version + 1 if had else 1,
            files=tuple(file.path for file in staged.files),
            rows=staged.rows,
            bytes=staged.bytes,
            content_hash=staged.content_hash,
            fingerprint=staged.fingerprint,
            inputs=staged.inputs,
            receipt_id="",
            run_id=self._scope.run_id,
            step=self._found.judge.step.name,
            published_at=self._scope.project.clock.now(),
        )
        self._own.learn(version)

    def forget(self) -> None:
        """Nothing of a batch that failed was published: only what the ledger has counts."""
        current = self._scope.project.ledger.current(str(self._output.dataset))
        step = self._found.judge.step
        first = first_day(step) if isinstance(step, SqlStep) else ""
        self._found.index.own = OwnSlices(self._output, current, first)

    @property
    def _own(self) -> OwnSlices:
        assert self._found.index.own is not None  # whoever carries has it
        return self._found.index.own

    def _broken_before(self, part: Slice) -> Slice | None:
        rest, day = self._own.chain(part)
        broken: Sequence[Slice] = [*(failed.slice for failed in self._result.failed), *self._result.blocked]
        for other in broken:
            chain, earlier = self._own.chain(other)
            if chain == rest and earlier < day:
                return other
        return None
