"""What the ledger says of datasets, each asked for once: one plan sees one state."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gamelake.ledger.rows import SliceSummary, SliceVersion
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Step
    from gamelake.pipeline.project import Project
    from gamelake.pipeline.reach import Reach


class Known:
    """Published versions of the datasets that some steps read and write.

    Many steps read one dataset: what is worked out about it once is kept for all of them.
    """

    def __init__(self, project: Project, steps: Iterable[Step] = ()) -> None:
        self._ledger = project.ledger
        names = {str(dataset): None for step in steps for dataset in datasets_of(step)}
        self._current = self._ledger.summaries(names) if names else {}
        self._cut: dict[tuple[str, tuple[str, ...]], dict[Slice, list[SliceSummary]]] = {}
        self._hashes: dict[object, dict[Slice, str]] = {}
        self._contents: dict[str, dict[tuple[str, int], str]] = {}

    def current(self, dataset: str) -> dict[Slice, SliceSummary]:
        """Newest version of every slice."""
        if dataset not in self._current:
            self._current |= self._ledger.summaries([dataset])
        return self._current[dataset]

    def cut(self, reach: Reach) -> Mapping[Slice, list[SliceSummary]]:
        """Versions of an input by what the slice has in common with the output's, both in order."""
        key = reach.dataset, reach.shared
        if key not in self._cut:
            current = self.current(reach.dataset)
            feeds: dict[Slice, list[SliceSummary]] = {}
            for part in sorted(current):
                feeds.setdefault(reach.cut(part), []).append(current[part])
            self._cut[key] = feeds if reach.same else dict(sorted(feeds.items()))
        return self._cut[key]

    def hashes(self, reaches: Iterable[Reach]) -> dict[Slice, str]:
        """A place for fingerprints of inputs, the same one for all who read the same in the same way."""
        ways = sorted((r.dataset, r.pairs, r.day or "", tuple(r.reading.offsets)) for r in reaches)
        return self._hashes.setdefault(tuple(ways), {})

    def whole(self, versions: Iterable[SliceSummary]) -> list[SliceVersion]:
        """The versions with all the ledger knows of them."""
        return self._ledger.whole(versions)

    def is_equal(self, dataset: str, part: str, one: int, other: int) -> bool:
        """True when two versions of a slice hold the same rows."""
        if dataset not in self._contents:
            self._contents[dataset] = self._ledger.contents(dataset)
        known = self._contents[dataset]
        return (part, one) in known and known[part, one] == known.get((part, other))


def datasets_of(step: Step) -> list[str]:
    """Names of what a step reads and writes."""
    return [*map(str, step.inputs.values()), *(str(output.dataset) for output in step.outputs)]
