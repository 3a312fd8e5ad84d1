"""Building the slices of a step that carries state, each from the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.ledger.rows import SliceVersion
from gamelake.pipeline.assess import PlanState
from gamelake.pipeline.freshness import OwnSlices

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
        self._found.index.own = OwnSlices(self._output, current)

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
