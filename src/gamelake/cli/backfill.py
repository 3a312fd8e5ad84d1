"""`gamelake backfill`: the gaps of a span of days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gamelake.cli.build import EngineOption, plan_table, plan_words, show_result
from gamelake.errors import UserError
from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import print_json, say
from gamelake.present.options import (
    JsonOption,
    ProjectOption,
    SliceOption,
    VarOption,
    VarsOption,
    parse_slices,
    parse_span,
)
from gamelake.present.progress import steps_progress

if TYPE_CHECKING:
    from gamelake.pipeline.execute import RunRequest
    from gamelake.pipeline.plan import Plan
    from gamelake.pipeline.project import Project


def backfill(
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET…", help="Steps or datasets; what they need comes along.")
    ],
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, such as 2026-01-01.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, included.")],
    parallel: Annotated[
        int,
        typer.Option(
            "--parallel", min=1, max=64, help="Batches of one step at once; carried state goes in order."
        ),
    ] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Build the targets' fresh and stale slices too.")
    ] = False,
    slices: SliceOption = None,
    listed: VarsOption = None,
    single: VarOption = None,
    engine: EngineOption = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be built, and why. Changes nothing.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build what a span of days lacks, in order where state is carried.

    Slices that were never built, and those whose inputs have changed. One that is stale only because its SQL or
    schema changed is left alone: `--force` restates it. A backfill that failed or was killed goes on where it
    stopped when it is called again. Exit code 1 when something in the span could not be built.
    """
    from gamelake.jobs.local import refuse_mistakes, run_now
    from gamelake.layouts.variables import parse_variables
    from gamelake.pipeline.execute import RunRequest

    given = parse_variables(listed, single)
    asked = RunRequest(
        tuple(targets), parse_slices(slices), force, given, parse_span(first, last), parallel, engine
    )
    with open_project(project) as opened:
        _refuse_days(opened, asked)
        wanted = asked.bound(opened)
        refuse_mistakes(opened, wanted)
        made = _plan(opened, wanted)
        if only_plan:
            _show(made, as_json=as_json)
            return
        if not as_json:
            say(f"{formats.plural(len(made.work), 'slice')} to build from {first} to {last}")
        with steps_progress(quiet=as_json) as listener:
            result = run_now(opened, wanted, listener=listener)
    held_back = any(step.blocked or step.waiting for step in result.steps)
    if as_json:
        print_json({"from": first, "to": last, **result.to_json()})
        raise typer.Exit(result.exit_code or int(held_back))
    show_result(result)
    if result.error:
        raise result.error
    for item in made.items:
        if item.state.value in {"waiting", "blocked"}:
            say(f"! {item.step} {item.slice}: {item.reason}")
    raise typer.Exit(int(held_back))


def _refuse_days(project: Project, wanted: RunRequest) -> None:
    """UserError for a variable or a slice that says the day, as `--from` and `--to` do."""
    from gamelake.model.steps import SqlStep
    from gamelake.pipeline.reach import date_slice_columns

    dates = date_slice_columns(project.graph)
    steps = (project.graph.steps[name] for name in project.graph.select(wanted.targets))
    chosen = {
        v for step in steps if isinstance(step, SqlStep) for v, c in step.bindings.items() if c in dates
    }
    told = [f"--var {name}=…" for name in wanted.variables if name in chosen]
    told += [f"--slice {name}=…" for part in wanted.slices or () for name, _ in part.keys if name in dates]
    if told:
        problem = f"`{told[0]}` chooses the day, and so do `--from` and `--to`"
        raise UserError(problem, hint="leave it out")


def _plan(project: Project, wanted: RunRequest) -> Plan:
    from gamelake.pipeline.plan import plan

    return plan(
        project, wanted.targets, force=wanted.force, slices=wanted.wanted(project.graph), gaps=wanted.gaps
    )


def _show(made: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json(made.to_json())
        return
    plan_table(made)
    say(plan_words(made, command="backfill"))
