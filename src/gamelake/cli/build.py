"""`gamelake plan`, `run` and `rollback`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gamelake.errors import UserError
from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, say, state
from gamelake.present.options import (
    JsonOption,
    ProjectOption,
    SliceOption,
    TargetsArgument,
    VarOption,
    VarsOption,
    parse_slice,
    parse_slices,
    parse_span,
)
from gamelake.present.progress import steps_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gamelake.pipeline.execute import RunRequest
    from gamelake.pipeline.plan import Plan
    from gamelake.pipeline.project import Project
    from gamelake.pipeline.results import RunResult

EngineOption = Annotated[
    Literal["duckdb", "spark"] | None,
    typer.Option(
        "--engine", help="Engine that runs SQL steps; by default the project's setting.", show_default=False
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Also build targets that are fresh.")]


def plan(
    targets: TargetsArgument = None,
    slices: SliceOption = None,
    force: ForceOption = False,
    every: Annotated[bool, typer.Option("--all", help="One line for each slice, fresh ones too.")] = False,
    listed: VarsOption = None,
    single: VarOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what `run` would do, and why. Changes nothing.

    A target is a dataset, a step or a layer such as `gold`; it brings along what it needs.
    """
    from gamelake.layouts.variables import parse_variables
    from gamelake.pipeline.execute import RunRequest
    from gamelake.pipeline.plan import plan as make_plan

    given = parse_variables(listed, single)
    with open_project(project) as opened:
        wanted = RunRequest(tuple(targets or ()), parse_slices(slices), force, given).bound(opened)
        made = make_plan(opened, targets, force=force, slices=wanted.wanted(opened.graph))
    if as_json:
        print_json(made.to_json(fresh=every))
        return
    plan_table(made, every=every)
    say(plan_words(made))


def plan_table(made: Plan, *, every: bool = False) -> None:
    """The plan as a table; nothing when all is fresh."""
    rows = every_item(made) if every else together(made)
    if rows:
        columns = [
            Col("state", form=state),
            Col("step", style="name"),
            Col("slice"),
            Col("why", wrap=True),
        ]
        print_table([*columns, Col("rows", form=formats.number, right=True)], rows)


def every_item(made: Plan) -> list[tuple[Any, ...]]:
    """One row for each slice."""
    return [(item.state.value, item.step, str(item.slice), item.reason, item.rows) for item in made.items]


def together(made: Plan) -> list[tuple[Any, ...]]:
    """One row for each step and state that is work or may become work."""
    rows = []
    steps = dict.fromkeys(item.step for item in made.items)
    order = {step: number for number, step in enumerate(steps)}
    told = [item for item in made.items if item.state != "fresh"]
    for (step, kind), group in groupby(
        sorted(told, key=lambda item: (order[item.step], item.state.value)),
        key=lambda item: (item.step, item.state.value),
    ):
        items = list(group)
        first = items[0]
        shown = str(first.slice) if len(items) == 1 else f"{len(items)} slices"
        reasons = {item.reason for item in items}
        why = first.reason if len(reasons) == 1 else f"{first.reason}, …"
        known = [item.rows for item in items if item.rows is not None]
        rows.append((kind, step, shown, why, sum(known) if known else None))
    return rows


def plan_words(made: Plan, *, command: str = "run") -> str:
    """The plan in one sentence, and in another one what a change of SQL restates."""
    counts = made.counts()
    fresh = counts.get("fresh", 0)
    if not made.items:
        return "nothing to build: no step has input yet"
    restates = "".join(
        f"\n{part.step} itself changed: {formats.plural(part.slices, 'slice')} stale,"
        f" {formats.plural(part.rows, 'row')}"
        for part in made.restated()
        if part.slices > 1
    )
    if not made.work:
        others = {name: counts[name] for name in ("waiting", "blocked", "left") if name in counts}
        told = "".join(f", {formats.count(number)} {name}" for name, number in others.items())
        return f"nothing to do: {formats.plural(fresh, 'slice')} fresh{told}{restates}"
    may = f", {formats.count(counts['depends'])} may follow" if counts.get("depends") else ""
    would = f"`gamelake {command}` would build {formats.plural(len(made.work), 'slice')}"
    return f"{would}{may}; {formats.count(fresh)} fresh{restates}"


def run(
    targets: TargetsArgument = None,
    slices: SliceOption = None,
    force: ForceOption = False,
    listed: VarsOption = None,
    single: VarOption = None,
    alone: Annotated[
        bool,
        typer.Option(
            "--only", help="Only the targets, not what they need; exit code 1 when one waits for an input."
        ),
    ] = False,
    due: Annotated[bool, typer.Option("--due", help="Run what `[[schedules]]` say is due now.")] = False,
    engine: EngineOption = None,
    first: Annotated[
        str, typer.Option("--from", metavar="DAY", help="First day; days before come along as far as needed.")
    ] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, included.")] = "",
    source: Annotated[
        Path | None,
        typer.Option(
            "--source", metavar="DIR", help="Folder the pack reads from this time; its seeds are taken over."
        ),
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build what is missing or stale, check it, publish it.

    A second `run` does nothing. A run that failed or was killed goes on where it stopped. Exit code 1 when a
    check said no: the old rows stay, and what does not read them is built all the same.
    """
    from gamelake.jobs.local import run_now
    from gamelake.layouts.variables import parse_variables
    from gamelake.pipeline.execute import RunRequest

    if due:
        if targets or slices or force or alone or first or last or source:
            problem = "`--due` runs what the schedules name"
            raise UserError(
                problem, hint="leave out targets, and options that choose slices or what comes along"
            )
        run_due(project, parse_variables(listed, single), engine, as_json=as_json)
        return
    given = parse_variables(listed, single)
    days = parse_span(first, last) if first or last else None
    if days and (slices or force):
        problem = "`--from` and `--to` choose the slices"
        raise UserError(problem, hint="leave out `--slice` and `--force`")
    asked = RunRequest(
        tuple(targets or ()), parse_slices(slices), force, given, days,
        engine=engine, alone=alone, restate=days is not None,
    )  # fmt: skip
    with open_project(project, source=source) as opened, steps_progress(quiet=as_json) as listener:
        wanted = asked.bound(opened)
        result = run_now(opened, wanted, listener=listener)
        waiting = list(waits(opened, wanted)) if alone and not result.error else []
    if as_json:
        print_json(result.to_json())
        raise typer.Exit(result.exit_code or int(bool(waiting)))
    show_result(result)
    if result.error:
        raise result.error
    for line in waiting:
        say(f"! {line}")
    raise typer.Exit(int(bool(waiting)))


def waits(project: Project, wanted: RunRequest) -> Iterator[str]:
    """Slices asked for that are still to be built, and what each waits for."""
    from gamelake.pipeline.assess import PlanState
    from gamelake.pipeline.plan import plan

    there = {PlanState.FRESH, PlanState.STALE}  # stale: somebody has published an input since
    slices = wanted.wanted(project.graph)
    for item in plan(project, wanted.targets, slices=slices, alone=wanted.alone).items:
        if item.state not in there:
            yield f"{item.step} {item.slice}: {item.reason}"


def run_due(project: Path | None, given: Mapping[str, str], engine: str | None, *, as_json: bool) -> None:
    """Run every schedule that is due, one after the other; exits like the worst of the runs."""
    from gamelake.jobs.local import run_now
    from gamelake.jobs.schedules import tick
    from gamelake.pipeline.execute import RunRequest

    results: dict[str, RunResult] = {}
    with open_project(project) as opened, steps_progress(quiet=as_json) as listener:

        def start(request: RunRequest, run_id: str) -> None:
            results[run_id] = run_now(opened, request, run_id=run_id, listener=listener)

        started = tick(opened, start, RunRequest(variables=given, engine=engine))
    if as_json:
        told = [
            {
                "schedule": each.schedule,
                "due": each.due,
                "run": results[each.run_id].to_json() if each.run_id in results else None,
                "error": each.error.problem if each.error else None,
            }
            for each in started
        ]
        print_json({"due": told})
    for each in [] if as_json else started:
        say(f"schedule {each.schedule}: {each.error.problem if each.error else f'run {each.run_id}'}")
        if each.run_id in results:
            show_result(results[each.run_id])
    if not started and not as_json:
        say("nothing is due")
    codes = [each.error.exit_code for each in started if each.error]
    codes += [result.exit_code for result in results.values()]
    raise typer.Exit(max(codes, default=0))


def show_result(result: RunResult) -> None:
    """What each step did, and the run in one sentence."""
    rows = [
        (step.state, step.step, len(step.built), step.fresh, step.rows, step.seconds)
        for step in result.steps
        if step.state != "fresh"
    ]
    if rows:
        columns = [
            Col("state", form=state),
            Col("step", style="name"),
            Col("slices", form=formats.count, right=True),
            Col("fresh", form=formats.count, right=True),
            Col("rows", form=formats.count, right=True),
            Col("time", form=formats.duration, right=True),
        ]
        print_table(columns, rows)
    for line in failures(result):
        say(line)
    told = f"{formats.plural(result.built, 'slice')}, {formats.plural(result.rows, 'row')}"
    if not rows and not result.error:
        told = "nothing to do, everything is fresh"
    say(f"{result.run_id} {result.state.value}: {told} in {formats.duration(result.seconds)}")


def failures(result: RunResult) -> Iterator[str]:
    """A line for each slice that failed and each step held back; the first failure is told as the run's error."""
    failed = [failed.error for step in result.steps for failed in step.failed]
    yield from (f"✗ {error.problem}" for error in failed if error is not result.error)
    for step in result.steps:
        if step.blocked:
            why = "an input failed" if failed else "an earlier slice waits for its input"
            yield f"! {step.step}: {formats.plural(len(step.blocked), 'slice')} held back, {why}"


def rollback(
    dataset: Annotated[str, typer.Argument(help="Dataset, such as pack.gold.name.")],
    slice_text: Annotated[
        str, typer.Argument(metavar="SLICE", help="Slice as `status DATASET` shows it.")
    ] = "all",
    to: Annotated[
        int | None, typer.Option("--to", help="Version to go back to; by default the one before.")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish an earlier version of a slice again, as a new version with the old rows.

    The last `keep_versions` versions can be reached. `run` leaves the slice alone until its SQL, its schema or
    its inputs change once more; what reads it becomes stale.
    """
    from gamelake.pipeline.rollback import rollback as roll_back

    part = parse_slice(slice_text)
    with open_project(project) as opened:
        made = roll_back(opened, dataset, part, to)
    if as_json:
        print_json({"dataset": dataset, "slice": str(part), "version": made.version, "rows": made.rows})
    else:
        rows = formats.plural(made.rows, "row")
        say(f"{dataset} {part}: version {made.version} holds {rows}, as an earlier version did")
