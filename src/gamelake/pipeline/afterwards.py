"""What happens after a run has ended, apart from it: other systems are told."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gamelake.pipeline.project import Project

_ANNOUNCER = "gamelake.jobs.announce"  # by name: jobs come later in the order of imports


def tell_others(project: Project, run_id: str) -> None:
    """Start a process that announces the run, when the settings name anybody to tell. Never raises."""
    settings = project.settings
    if settings.notifications is None and settings.openlineage.url is None:
        return
    logs = settings.state / "logs"
    command = [sys.executable, "-P", "-m", _ANNOUNCER, "--project", str(project.root), "--run", run_id]
    try:
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{run_id}.announce.log").open("wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=project.root,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
    except OSError as err:  # a run is not worse for it
        told = {"event": "run.ended", "problem": f"cannot start a process: {err}"}
        project.ledger.append_event("notification.failed", run_id=run_id, data=told)
        return
    Thread(target=child.wait, name=f"announcer {run_id}", daemon=True).start()  # or it stays a zombie
