"""What a slice is judged against besides its own rows: other datasets, earlier slices, the time.

None of it makes a slice stale: rows do not come from it. It orders the steps, a failure of it holds the slice
back, and the versions read are kept with the task.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gamelake.engines.duckdb import scan
from gamelake.engines.outside import Part as OutsidePart
from gamelake.engines.outside import outside_scan
from gamelake.model.schema import ColumnType, Schema
from gamelake.model.slices import Slice
from gamelake.pipeline.check_fit import judged_against

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from gamelake.ledger.rows import SliceVersion
    from gamelake.model.steps import Output
    from gamelake.pipeline.project import Project

_LISTED_SLICES = 50  # of a dataset; of more than these only their number is kept with the task


@dataclass(frozen=True)
class Part:
    """One slice as a check may read it."""

    rows: int
    files: tuple[str, ...]


class Evidence:
    """Slices a check may read, of the outputs themselves and of the datasets their checks name."""

    def __init__(
        self,
        now: datetime,
        outputs: Mapping[str, Output],
        parts: Mapping[str, Mapping[Slice, Part]],
        versions: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.now = now
        self._outputs = outputs
        self._parts: dict[str, dict[Slice, Part]] = defaultdict(dict)
        self._versions = versions or {}
        for dataset, slices in parts.items():
            self._parts[dataset] = dict(slices)

    @classmethod
    def of(cls, project: Project, outputs: Sequence[Output]) -> Self:
        """What is published now, as far as the outputs' checks may ask for it."""
        own = {str(output.dataset) for output in outputs if any(compares(c.spec) for c in output.checks)}
        others = judged_against(outputs)
        current = {dataset: project.ledger.current(dataset) for dataset in sorted(own | others)}
        parts = {
            name: {s: Part(v.rows, v.files) for s, v in found.items()} for name, found in current.items()
        }
        versions = {name: _told(current[name]) for name in sorted(others)}
        return cls(project.settings.moment(project.clock), project.graph.outputs, parts, versions)

    def add(self, dataset: str, part: Slice, rows: int, files: Iterable[str]) -> None:
        """Count a slice that was staged and passed as if it were published: later ones are compared with it."""
        self._parts[dataset][part] = Part(rows, tuple(files))

    def scan(self, dataset: str, wanted: Slice) -> str:
        """SELECT over another dataset: over its slices that agree with the one wanted."""
        schema = self._outputs[dataset].schema
        found = sorted((s, p) for s, p in self._parts[dataset].items() if s.agrees_with(wanted))
        if self._outputs[dataset].in_place:
            return outside_scan(schema, [OutsidePart(key, part.files) for key, part in found])
        return scan(schema, [file for _, part in found for file in part.files])

    def schema(self, dataset: str) -> Schema:
        """Columns of another dataset."""
        return self._outputs[dataset].schema

    def earlier(self, output: Output, for_slice: Slice, most: int) -> list[Part]:
        """The slices before this one, nearest first; of an output without slices, what it holds now."""
        parts = self._parts[str(output.dataset)]
        if not output.slice_columns:
            return [parts[Slice()]] if Slice() in parts else []
        column = ordering_column(output)
        if column is None:
            return []
        here, rest = _position(for_slice, column, output)
        before = [
            (position, part)
            for position, others, part in ((*_position(s, column, output), p) for s, p in parts.items())
            if others == rest and position < here
        ]
        return [part for _, part in sorted(before, key=lambda pair: pair[0], reverse=True)[:most]]

    def told(self) -> dict[str, Any]:
        """Dataset → slice → version of what checks of other datasets read, for the ledger."""
        return dict(self._versions)


def compares(spec: Mapping[str, Any]) -> bool:
    """True when a check reads earlier slices of its own dataset."""
    return "min_ratio" in spec or "max_ratio" in spec or "key" in spec


def ordering_column(output: Output) -> str | None:
    """The slice column along which slices follow each other: the first date, or else the first number."""
    for kinds in ({ColumnType.DATE}, {ColumnType.INT, ColumnType.BIGINT}):
        for name in output.slice_columns:
            if output.schema[name].type in kinds:
                return name
    return None


def looks_back(outputs: Iterable[Output]) -> bool:
    """True when slices of these outputs are judged by earlier ones, and so are built one after the other."""
    return any(compares(check.spec) for output in outputs for check in output.checks)


def order_of(output: Output, part: Slice) -> tuple[Any, ...]:
    """Sorts slices as checks that look back follow them: the text of a number would not."""
    column = ordering_column(output)
    return () if column is None else _position(part, column, output)


def _position(part: Slice, column: str, output: Output) -> tuple[Any, tuple[tuple[str, str], ...]]:
    """Where a slice stands, and what it must have in common with others to be compared."""
    text = part.as_dict()[column]
    rest = tuple(pair for pair in part.keys if pair[0] != column)
    return (text if output.schema[column].type is ColumnType.DATE else int(text)), rest


def _told(current: Mapping[Slice, SliceVersion]) -> dict[str, int]:
    if len(current) > _LISTED_SLICES:
        return {"slices": len(current)}
    return {str(part): version.version for part, version in sorted(current.items())}
