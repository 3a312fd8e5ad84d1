"""Every mistake of many layouts at once: keys, SQL, and the lints that know the inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError
from gamelake.layouts.load import make_step, shown
from gamelake.layouts.semantics import examine
from gamelake.layouts.spelling import read_layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gamelake.model.steps import Output, SqlStep


@dataclass(frozen=True)
class Checked:
    """Layouts without a mistake, and the mistakes of the others in order of file and line."""

    files: int
    steps: tuple[SqlStep, ...]
    errors: tuple[LayoutError, ...]

    def to_json(self) -> dict[str, Any]:
        """The object of `layout check --json`."""
        return {
            "files": self.files,
            "ok": not self.errors,
            "errors": [
                {
                    "file": error.at.file if error.at else None,
                    "line": error.at.line if error.at else None,
                    "key": error.at.key if error.at else None,
                    "problem": error.problem,
                    "hint": error.hint,
                }
                for error in self.errors
            ],
        }


def check_files(
    files: Iterable[tuple[Path, str]], others: Mapping[str, Output], *, engine: str = "duckdb"
) -> Checked:
    """Read each (file, pack) and run every lint; `others` are datasets that no layout among them writes."""
    steps: list[SqlStep] = []
    errors: list[LayoutError] = []
    count = 0
    for file, pack in files:
        count += 1
        try:
            steps.append(make_step(file, read_layout(file, shown(file)), pack))
        except LayoutError as err:
            errors += [LayoutError(err.problem, err.at, err.hint), *err.others]
    outputs = {**others, **{str(output.dataset): output for step in steps for output in step.outputs}}
    for step in steps:
        errors += examine(step, outputs, engine=engine)
    return Checked(count, tuple(steps), tuple(sorted(errors, key=_order)))


def _order(error: LayoutError) -> tuple[str, int]:
    return (error.at.file or "", error.at.line or 0) if error.at else ("", 0)
