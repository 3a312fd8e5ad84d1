"""The ledger's row for one batch of one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gamelake.ledger.rows import TaskRow
from gamelake.pipeline.events import seconds_since
from gamelake.pipeline.results import error_json

if TYPE_CHECKING:
    from gamelake.errors import GamelakeError
    from gamelake.pipeline.project import Project


@dataclass
class Task:
    """Saved when the batch starts and when it ends; `sql` is what ran for its first slice."""

    project: Project
    run_id: str
    id: str
    step: str
    slices: tuple[str, ...]
    position: int
    started: float
    engine: str
    sql: str | None = None
    judged_against: dict[str, Any] | None = None  # dataset → slice → version, of what its checks read

    def save(
        self,
        state: str,
        *,
        rows: int | None = None,
        error: GamelakeError | None = None,
        traceback: str = "",
    ) -> None:
        """Write the row as it stands now."""
        detail: dict[str, Any] = {"engine": self.engine}
        if self.judged_against:
            detail["judged_against"] = self.judged_against
        if traceback:
            detail["traceback"] = traceback
        row = TaskRow(
            id=self.id,
            step=self.step,
            slices=self.slices,
            state=state,
            position=self.position,
            rows=rows,
            seconds=seconds_since(self.project.clock, self.started) if state != "running" else None,
            sql=self.sql,
            error=error_json(error) if error else None,
            detail=detail,
        )
        self.project.ledger.save_task(self.run_id, row)
