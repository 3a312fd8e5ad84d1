"""What a run did, as its caller and `--json` get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gamelake.model.checks import Severity
from gamelake.model.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.errors import GamelakeError
    from gamelake.model.slices import Slice
    from gamelake.pipeline.publish import Candidate


def error_json(error: BaseException) -> dict[str, Any]:
    """An error as the ledger keeps it and `--json` shows it."""
    place = getattr(error, "at", None)
    return {
        "code": getattr(error, "code", "internal_error"),
        "problem": getattr(error, "problem", None) or f"{type(error).__name__}: {error}",
        "at": str(place) if place else None,
        "hint": getattr(error, "hint", None),
    }


@dataclass(frozen=True)
class FailedSlice:
    """An output slice that was not published, and why."""

    slice: Slice
    error: GamelakeError


@dataclass
class StepResult:
    """What one step did in a run."""

    step: str
    built: list[Slice] = field(default_factory=list)
    fresh: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    checks_passed: int = 0
    checks_warned: int = 0
    failed: list[FailedSlice] = field(default_factory=list)
    blocked: list[Slice] = field(default_factory=list)
    waiting: list[Slice] = field(default_factory=list)  # an input slice they need was never published

    def add(self, outputs: Sequence[Candidate]) -> None:
        """Count a slice that was published, of all outputs of the step."""
        self.built.append(outputs[0].staged.slice)
        for output in outputs:
            self.rows += output.staged.rows
            self.bytes += output.staged.bytes
            for check in output.audit.results:
                self.checks_passed += check.passed
                self.checks_warned += not check.passed and check.severity is Severity.WARN

    @property
    def state(self) -> str:
        """`fresh`, `built`, `failed` or `blocked`: the worst that happened."""
        if self.failed:
            return "failed"
        if self.blocked:
            return "blocked"
        return "built" if self.built else "fresh"

    def to_json(self) -> dict[str, Any]:
        """The step's part of `run --json`."""
        return {
            "step": self.step,
            "state": self.state,
            "slices": len(self.built),
            "fresh": self.fresh,
            "rows": self.rows,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "checks": {
                "passed": self.checks_passed,
                "warned": self.checks_warned,
                "failed": len(self.failed),
            },
            "failed": [{"slice": str(f.slice), **error_json(f.error)} for f in self.failed],
            "blocked": [str(part) for part in self.blocked],
            "waiting": [str(part) for part in self.waiting],
        }


@dataclass
class RunResult:
    """What a run did. `error` is the first failure; the run's exit code follows from it."""

    run_id: str
    state: RunState = RunState.RUNNING
    steps: list[StepResult] = field(default_factory=list)
    recovered: int = 0
    seconds: float = 0.0
    error: GamelakeError | None = None

    @property
    def built(self) -> int:
        """Slices published, over all steps."""
        return sum(len(step.built) for step in self.steps)

    @property
    def rows(self) -> int:
        """Rows published, over all steps."""
        return sum(step.rows for step in self.steps)

    @property
    def exit_code(self) -> int:
        """Exit code of the command that made this run."""
        return self.error.exit_code if self.error else 0

    def to_json(self) -> dict[str, Any]:
        """The one object of `run --json`."""
        return {
            "run": self.run_id,
            "state": self.state.value,
            "slices": self.built,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "recovered": self.recovered,
            "error": error_json(self.error) if self.error else None,
            "steps": [step.to_json() for step in self.steps],
        }
