"""What the steps of one run share, and which of their slices failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from gamelake.pipeline.check_fit import judged_against

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gamelake.engines.base import Engine
    from gamelake.model.slices import Slice
    from gamelake.model.steps import Output
    from gamelake.pipeline.assess import Wanted
    from gamelake.pipeline.events import Cancel, Reporter
    from gamelake.pipeline.project import Project
    from gamelake.pipeline.reach import Reach


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

    def blocking(self, reaches: Iterable[Reach], part: Slice, outputs: Sequence[Output] = ()) -> str | None:
        """The failed slice, of an input or of what the outputs' checks compare with, for which a slice must wait."""
        with self._lock:
            for reach in reaches:
                for failed in self._slices.get(reach.dataset, ()):
                    if any(failed.agrees_with(key) for key in reach.keys(part)):
                        return f"{reach.dataset} {failed}"
            for dataset in sorted(judged_against(outputs)):
                for failed in self._slices.get(dataset, ()):
                    if failed.agrees_with(part):
                        return f"{dataset} {failed}"
        return None


@dataclass
class RunScope:
    """What all steps of one run share."""

    project: Project
    engine: Engine  # of SQL steps; those in Python run on the project's own
    run_id: str
    reporter: Reporter
    cancel: Cancel
    failures: Failures = field(default_factory=Failures)
    forced: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()  # of the steps of this run
    slices: Wanted = None
    gaps: bool = False  # leave alone what only a change of its own step made stale
    at_once: int = 1  # batches of one step that may be built at the same time
