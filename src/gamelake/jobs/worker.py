"""`python -m gamelake.jobs.worker`: executes one queued run and exits as `gamelake run` would."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gamelake.clock import SystemClock, SystemIds
from gamelake.errors import ConflictError, GamelakeError, NotFoundError
from gamelake.jobs.local import run_now
from gamelake.ledger.ledger import Ledger
from gamelake.model.runs import RunState
from gamelake.pipeline.execute import RunRequest
from gamelake.pipeline.project import DEFAULT_OPENER
from gamelake.pipeline.results import error_json
from gamelake.settings import ledger_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gamelake.pipeline.project import Project


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker; returns the exit code."""
    parser = argparse.ArgumentParser(prog="gamelake.jobs.worker", description=__doc__)
    parser.add_argument("--project", type=Path, required=True, help="project folder")
    parser.add_argument("--run", required=True, help="id of a queued run")
    parser.add_argument("--opener", default=DEFAULT_OPENER, help="module:attribute that opens the project")
    chosen = parser.parse_args(arguments)
    try:
        project = _open(chosen.opener, chosen.project)
    except Exception as err:  # a project that does not open must not leave its run queued for ever
        _fail(chosen.project, chosen.run, err)
        raise
    try:
        with project:
            request = RunRequest.from_json(project.ledger.run(chosen.run).request)
            return run_now(project, request, run_id=chosen.run).exit_code
    except GamelakeError as err:
        _fail(chosen.project, chosen.run, err)
        sys.stderr.write(f"{err}\n")
        return err.exit_code


def _open(opener: str, root: Path) -> Project:
    # by name, because who assembles a project (the packs) comes later in the order of imports
    module, _, attribute = opener.partition(":")
    project: Project = getattr(import_module(module), attribute)(root)
    return project


def _fail(root: Path, run_id: str, err: Exception) -> None:
    """Say in the ledger why a run never started; one that did is ended by whoever ran it.

    Reads no settings: they may be what is wrong.
    """
    file = ledger_file(root)
    if not file.exists():
        return
    opened = Ledger.open(file, clock=SystemClock(), ids=SystemIds())
    with opened as ledger, suppress(NotFoundError, ConflictError):
        if ledger.run(run_id).state is RunState.QUEUED:
            ledger.move_run(run_id, RunState.FAILED, error=error_json(err))


if __name__ == "__main__":
    sys.exit(main())
