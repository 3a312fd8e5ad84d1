"""Where a dataset comes from and where it goes; for columns of layouts too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gamelake.errors import NotFoundError, UserError, did_you_mean
from gamelake.layouts.modes import VALIDITY
from gamelake.model.steps import FoldStep, SqlStep
from gamelake.pipeline.fold import DELTA

if TYPE_CHECKING:
    from gamelake.pipeline.project import Project


@dataclass(frozen=True)
class Edge:
    """`reader` is a dataset made from `dataset` by `step`."""

    dataset: str
    reader: str
    step: str


@dataclass(frozen=True)
class Lineage:
    """All edges on the way to a dataset, and from it."""

    dataset: str
    upstream: tuple[Edge, ...]
    downstream: tuple[Edge, ...]

    def to_json(self) -> dict[str, Any]:
        """The object of `lineage --json`."""
        return {
            "dataset": self.dataset,
            "upstream": [vars(edge) for edge in self.upstream],
            "downstream": [vars(edge) for edge in self.downstream],
        }


def edges(project: Project) -> list[Edge]:
    """Every edge of the project's graph, in order of steps."""
    return [
        Edge(str(dataset), str(output.dataset), name)
        for name, step in project.graph.steps.items()
        for dataset in sorted(set(step.inputs.values()))
        for output in step.outputs
    ]


def lineage(project: Project, dataset: str) -> Lineage:
    """Edges up to the sources and down to the last readers."""
    project.graph.output(dataset)
    return Lineage(dataset, _reach(project, dataset, "up"), _reach(project, dataset, "down"))


def column_sources(project: Project, dataset: str, column: str) -> list[tuple[str, str]]:
    """(dataset, column) pairs one step up that a column is computed from; none for Python steps and sources."""
    output = project.graph.output(dataset)
    if column not in output.schema.names:
        problem = f"`{dataset}` has no column `{column}`"
        raise NotFoundError(problem, hint=did_you_mean(column, output.schema.names))
    step = project.graph.steps.get(project.graph.producers[dataset])
    if isinstance(step, FoldStep):
        source = column if column not in VALIDITY else step.order[0]
        return [(str(step.inputs[DELTA]), source)]
    if not isinstance(step, SqlStep):
        problem = f"`{dataset}` is not written by SQL, so its columns cannot be traced"
        raise UserError(problem, hint="`gamelake lineage DATASET` shows the datasets behind it")
    from gamelake.layouts.lineage import column_lineage

    return column_lineage(step, column, {name: o.schema for name, o in project.graph.outputs.items()})


def _reach(project: Project, dataset: str, way: Literal["up", "down"]) -> tuple[Edge, ...]:
    found: list[Edge] = []
    seen = {dataset}
    ahead = [dataset]
    while ahead:
        here = ahead.pop(0)
        for edge in edges(project):
            near, far = (edge.reader, edge.dataset) if way == "up" else (edge.dataset, edge.reader)
            if near == here:
                found.append(edge)
                if far not in seen:
                    seen.add(far)
                    ahead.append(far)
    return tuple(found)
