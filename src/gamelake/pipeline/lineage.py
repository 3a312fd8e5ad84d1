"""Where a dataset comes from and where it goes; for columns of layouts too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gamelake.errors import NotFoundError, UserError, did_you_mean
from gamelake.layouts.modes import VALIDITY
from gamelake.model.steps import FoldStep, SqlStep
from gamelake.pipeline.fold import DELTA

if TYPE_CHECKING:
    from gamelake.layouts.lineage import Origin
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
    return [(origin.dataset, origin.column) for origin in column_origins(project, dataset, column)]


def column_origins(project: Project, dataset: str, column: str) -> list[Origin]:
    """What a column is computed from, one step up, with the file and line that read it.

    Raises UserError for a dataset that no SQL writes: its columns cannot be traced.
    """
    _require_column(project, dataset, column)
    if not isinstance(project.graph.steps.get(project.graph.producers[dataset]), SqlStep | FoldStep):
        problem = f"`{dataset}` is not written by SQL, so its columns cannot be traced"
        raise UserError(problem, hint="`gamelake lineage DATASET` shows the datasets behind it")
    return _Columns(project).origins(dataset, column)


def column_history(project: Project, dataset: str, column: str) -> list[ColumnEdge]:
    """Every hop from a column to the columns of sources and Python steps behind it, nearest first."""
    _require_column(project, dataset, column)
    known = _Columns(project)
    edges: list[ColumnEdge] = []
    ahead = [(dataset, column)]
    seen = set(ahead)
    while ahead:
        near = ahead.pop(0)
        for origin in known.origins(*near):
            edges.append(ColumnEdge(*near, origin))
            far = origin.dataset, origin.column
            if far not in seen:
                seen.add(far)
                ahead.append(far)
    return edges


@dataclass(frozen=True)
class ColumnEdge:
    """`column` of `dataset` is computed from `origin`."""

    dataset: str
    column: str
    origin: Origin

    def to_json(self) -> dict[str, Any]:
        """The hop as `lineage --column --json` shows it."""
        return {"dataset": self.dataset, "column": self.column, "from": self.origin.to_json()}


class _Columns:
    """Origins of columns, each layout parsed once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._schemas = {name: output.schema for name, output in project.graph.outputs.items()}
        self._known: dict[str, dict[str, list[Origin]]] = {}

    def origins(self, dataset: str, column: str) -> list[Origin]:
        """Origins one step up; none where no SQL writes the dataset."""
        from gamelake.layouts.lineage import Origin, columns_origins

        step = self._project.graph.steps.get(self._project.graph.producers[dataset])
        if isinstance(step, FoldStep):
            source = column if column not in VALIDITY else step.order[0]
            return [Origin(str(step.inputs[DELTA]), source)]
        if not isinstance(step, SqlStep):
            return []
        if dataset not in self._known:
            self._known[dataset] = columns_origins(step, self._schemas)
        return self._known[dataset].get(column.lower(), [])


def _require_column(project: Project, dataset: str, column: str) -> None:
    output = project.graph.output(dataset)
    if column not in output.schema.names:
        problem = f"`{dataset}` has no column `{column}`"
        raise NotFoundError(problem, hint=did_you_mean(column, output.schema.names))


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
