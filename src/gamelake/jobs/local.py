"""Runs on this machine: in this process, or in a child that outlives its caller."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

from gamelake.errors import OperatorError
from gamelake.model.runs import RunState
from gamelake.pipeline.execute import execute
from gamelake.pipeline.lifecycle import end, running
from gamelake.pipeline.plan import refuse_dateless, refuse_out_of_order, selected

if TYPE_CHECKING:
    from gamelake.pipeline.events import Cancel, Listener
    from gamelake.pipeline.execute import RunRequest
    from gamelake.pipeline.project import Project
    from gamelake.pipeline.results import RunResult


def run_now(
    project: Project,
    request: RunRequest,
    *,
    run_id: str | None = None,
    listener: Listener | None = None,
    cancel: Cancel | None = None,
) -> RunResult:
    """Execute a request in this process; with `run_id`, a run that was queued before.

    Failures of steps are in the result; its `exit_code` and `error` tell. What is raised is a mistake
    in the request (then no run was made), or ours.
    """
    request = request.bound(project)
    refuse_mistakes(project, request)  # makes no run
    if run_id is None:
        run_id = project.ledger.create_run("run", request.title, request.to_json(), ours=True)
    with running(project, run_id, cancel=cancel) as asked:
        result = execute(project, request, run_id=run_id, listener=listener, cancel=asked)
        end(project, run_id, result.state, result.error)
    return result


def refuse_mistakes(project: Project, request: RunRequest) -> None:
    """Raise for a request that cannot be meant: unknown names, or a day before the one it is made from."""
    selected(project, request.targets, request.slices, alone=request.alone)
    if request.days is not None:
        refuse_dateless(project, request.targets)
    wanted = request.wanted(project.graph)
    if wanted is not None and not request.with_needs:  # else what comes before was asked for too
        refuse_out_of_order(
            project,
            request.targets,
            wanted,
            force=request.force,
            gaps=request.gaps,
            alone=request.alone,
        )


def start_detached(project: Project, request: RunRequest, run_id: str | None = None) -> str:
    """Queue a run (or take one that was queued before) and start a process of its own for it; its id at once.

    The child is no child of a request: it goes on when the caller ends. Its output goes to
    `.gamelake/logs/<run>.log`. When it dies before it starts, `Ledger.interrupt_dead_runs` fails the run.
    """
    request = request.bound(project)
    refuse_mistakes(project, request)
    run_id = run_id or project.ledger.create_run("run", request.title, request.to_json(), ours=True)
    logs = project.settings.state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-P"),  # -P: a file in the project's folder is no module of ours
        *("-m", "gamelake.jobs.worker"),
        *("--project", str(project.root)),
        *("--opener", project.opener),
        *("--run", run_id),
    ]
    try:
        with (logs / f"{run_id}.log").open("wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=project.root,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
    except OSError as err:
        problem = f"cannot start a process for run `{run_id}`: {err}"
        failed = OperatorError(problem, hint="`gamelake run` does the same in the foreground")
        end(project, run_id, RunState.FAILED, failed)
        raise failed from err
    project.ledger.hand_over(run_id, child.pid)
    Thread(target=child.wait, name=f"reaper {run_id}", daemon=True).start()  # or it stays a zombie
    return run_id


class LocalExecutor:
    """`Executor` by processes of this machine."""

    def submit(self, project: Project, request: RunRequest) -> str:
        return start_detached(project, request)
