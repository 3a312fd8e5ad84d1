"""Which slices of a source a request needs: those that the slices asked for read, whatever their columns are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gamelake.model.slices import Slice
from gamelake.model.steps import PythonStep
from gamelake.pipeline.needs import Needs, Windows
from gamelake.pipeline.reach import Reach
from gamelake.pipeline.span import Span, days_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from gamelake.model.steps import Step
    from gamelake.pipeline.assess import Wanted
    from gamelake.pipeline.graph import Graph


@dataclass(frozen=True)
class Needed:
    """Slices of one dataset that some reader wants for a slice it is asked for."""

    reaches: tuple[Reach, ...]
    is_asked: Callable[[Slice], bool]
    named: frozenset[Slice] = frozenset()  # slices to read whose source cannot list what it has

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

    if isinstance(slices, Needs):
        return slices.of_step(step)
    if not isinstance(step, PythonStep) or step.listing is None or (slices is None and step.usual is None):
        return slices
    dataset = str(step.outputs[0].dataset)
    reaches = tuple(
        Reach.of(graph.steps[name], view, graph.outputs)
        for name in graph.readers(dataset)
        if name in among
        for view, read in graph.steps[name].inputs.items()
        if str(read) == dataset
    )
    if not reaches:
        return slices
    named: frozenset[Slice] = frozenset()
    if step.usual is not None:
        columns = frozenset(step.outputs[0].slice_columns)
        named = frozenset(_named(reaches, slices, columns, step.usual() if slices is None else None))
    return Needed(reaches, lambda part: chosen(part, slices), named)


def _named(
    reaches: Sequence[Reach], slices: Wanted, columns: frozenset[str], usual: Slice | None
) -> Iterator[Slice]:
    """Slices of the source that are read for those asked for; without any, for the usual one."""
    if slices is None:
        for reach in reaches:
            if usual is not None:
                yield from reach.keys(reach.back(reach.cut(usual))) if reach.whole else (usual,)
        return
    if isinstance(slices, Span):
        asked = [Slice(tuple((name, day) for name in sorted(slices.columns))) for day in days_of(slices)]
    else:
        asked = [] if isinstance(slices, Needed | Needs | Windows) else list(slices)
    for part in asked:
        for reach in reaches:
            ours = part.project(name for _, name in reach.pairs)
            yield from (key for key in reach.keys(ours) if {name for name, _ in key.keys} == columns)
