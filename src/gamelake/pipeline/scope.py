"""What the steps of one run share, and which of their slices failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from gamelake.pipeline.check_fit import judged_against

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.events import Cancel, Reporter
    from gamelake.pipeline.project import Project


class Failures:
    """Slices that were not published in this run; shared by its steps."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._slices: dict[str, set[Slice]] = {}

    def add(self, outputs: Sequence[Output], part: Slice) -> None:
        """Note a failed slice; the slice without columns stands for all of a dataset."""
        with self._lock:
            for output in outputs:
                self._slices.setdefault(str(output.dataset), set()).add(part)

    def blocking(self, step: Step, part: Slice) -> str | None:
        """The failed input slice because of which an output slice must wait; None when there is none."""
        with self._lock:
            for dataset in [*map(str, step.inputs.values()), *sorted(judged_against(step.outputs))]:
                for failed in self._slices.get(dataset, ()):
                    if failed.agrees_with(part):
                        return f"{dataset} {failed}"
        return None


@dataclass
class RunScope:
    """What all steps of one run share."""

    project: Project
    run_id: str
    reporter: Reporter
    cancel: Cancel
    failures: Failures = field(default_factory=Failures)
    forced: frozenset[str] = frozenset()
    slices: Sequence[Slice] | None = None
