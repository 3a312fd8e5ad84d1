"""`gamelake jobs`: runs, wherever they were started."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gamelake.cli.status import run_facts, show_runs
from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, say, state
from gamelake.present.options import JsonOption, ProjectOption, group

app = group("List, show and cancel runs.")
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run; `last` is the newest.")]


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Newest runs to show.")] = 20,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    with open_project(project) as opened:
        opened.ledger.interrupt_dead_runs()
        found = [run_facts(row) for row in opened.ledger.runs(limit=limit)]
        now = opened.clock.now()
    if as_json:
        print_json({"runs": found})
    elif found:
        show_runs(found, now)
    else:
        say("no run yet")


@app.command("show")
def show(run: RunArgument = "last", project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Show the tasks of a run, and why it failed if it did."""
    with open_project(project) as opened:
        opened.ledger.interrupt_dead_runs()
        row = opened.ledger.run(resolved(opened, run))
        tasks = [task_facts(task) for task in opened.ledger.tasks(row.id)]
    facts = run_facts(row)
    if as_json:
        print_json({**facts, "tasks": tasks})
        return
    say(f"{row.id} {row.state.value}: {row.title}")
    if tasks:
        columns = [Col("state", form=state), Col("step", style="name"), Col("slices", right=True)]
        print_table(
            [
                *columns,
                Col("rows", form=formats.count, right=True),
                Col("time", form=formats.duration, right=True),
            ],
            [
                (task["state"], task["step"], len(task["slices"]), task["rows"], task["seconds"])
                for task in tasks
            ],
        )
    if row.error:
        say(f"error: {row.error.get('problem', row.error)}")
        if row.error.get("hint"):
            say(f"\nhint: {row.error['hint']}")


@app.command("cancel")
def cancel(run: RunArgument, project: ProjectOption = None) -> None:
    """Ask a run to stop; what it has published stays."""
    with open_project(project) as opened:
        opened.ledger.interrupt_dead_runs()
        run_id = resolved(opened, run)
        opened.ledger.request_cancel(run_id)
    say(f"asked {run_id} to stop")


def resolved(project: Any, run: str) -> str:
    """The id a person meant."""
    newest = project.ledger.runs(limit=1) if run == "last" else []
    return newest[0].id if newest else run


def task_facts(task: Any) -> dict[str, Any]:
    """One task, as `jobs show --json` prints it."""
    return {
        "step": task.step,
        "state": task.state,
        "slices": list(task.slices),
        "rows": task.rows,
        "seconds": task.seconds,
        "error": task.error,
    }
