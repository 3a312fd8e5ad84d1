"""Which slices of a source a request needs: those that the slices asked for read, whatever their columns are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gamelake.model.steps import PythonStep
from gamelake.pipeline.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gamelake.model.slices import Slice
    from gamelake.model.steps import Step
    from gamelake.pipeline.assess import Wanted
    from gamelake.pipeline.graph import Graph


@dataclass(frozen=True)
class Needed:
    """Slices of one dataset that some reader wants for a slice it is asked for."""

    reaches: tuple[Reach, ...]
    is_asked: Callable[[Slice], bool]

    def holds(self, part: Slice) -> bool:
        """True when a slice asked for reads this one; also where a reader's slice is not told by it."""
        return any(
            self.is_asked(reader) for reach in self.reaches for reader in reach.readers(reach.cut(part))
        )


def needed_of(graph: Graph, step: Step, slices: Wanted, among: Collection[str]) -> Wanted:
    """`slices` as they are meant for this step: a source with slices of its own gives what its readers need.

    `among` are the steps of the run or plan; a source nobody there reads is asked for itself.
    """
    from gamelake.pipeline.assess import chosen

    if slices is None or not isinstance(step, PythonStep) or step.listing is None:
        return slices
    dataset = str(step.outputs[0].dataset)
    reaches = tuple(
        Reach.of(graph.steps[name], view, graph.outputs)
        for name in graph.readers(dataset)
        if name in among
        for view, read in graph.steps[name].inputs.items()
        if str(read) == dataset
    )
    return Needed(reaches, lambda part: chosen(part, slices)) if reaches else slices
