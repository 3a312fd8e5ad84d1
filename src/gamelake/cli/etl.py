"""`gamelake etl`: one layout by its file, as the older engine was called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gamelake.cli.build import EngineOption, ForceOption, show_result
from gamelake.errors import NotFoundError, UserError, did_you_mean
from gamelake.packs import open_project
from gamelake.present.console import print_json, say
from gamelake.present.options import JsonOption, ProjectOption, VarOption, VarsOption
from gamelake.present.progress import steps_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gamelake.model.slices import Slice
    from gamelake.model.steps import SqlStep
    from gamelake.pipeline.project import Project


def etl(
    layout: Annotated[
        Path,
        typer.Option(
            "--layout",
            metavar="FILE",
            help="Layout of the project, or an older JSON that names one of its jobs.",
        ),
    ],
    listed: VarsOption = None,
    single: VarOption = None,
    force: ForceOption = False,
    engine: EngineOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build one layout by its file, as the older engine was called.

    What it reads is brought up to date first, or waited for when another process is at it: several calls at once
    build each input once. A date that chooses the slice is yesterday unless it is given. Exit code 1 when
    the slice could not be built, 2 when the call is wrong.
    """
    from gamelake.jobs.local import run_now
    from gamelake.layouts.variables import parse_variables
    from gamelake.pipeline.execute import RunRequest

    given = parse_variables(listed, single)
    with open_project(project) as opened:
        step = step_of(opened, layout)
        filled = with_slice(opened, step, given)
        part = slice_of(opened, step, filled)
        dataset = str(step.delta_of or step.outputs[0].dataset)
        wanted = RunRequest((dataset,), (part,), force, filled, engine=engine, with_needs=True)
        with steps_progress(quiet=as_json) as listener:
            result = run_now(opened, wanted, listener=listener)
        missing = [] if result.error else list(unbuilt(opened, step, part))
    if as_json:
        print_json(result.to_json())
        raise typer.Exit(result.exit_code or int(bool(missing)))
    show_result(result)
    if result.error:
        raise result.error
    for line in missing:
        say(f"! {line}")
    raise typer.Exit(int(bool(missing)))


def step_of(project: Project, file: Path) -> SqlStep:
    """The layout of the project that a file is, or names; relative to the current folder or to the project's."""
    from gamelake.layouts.classic.job import job_of, says_otherwise
    from gamelake.layouts.load import shown
    from gamelake.model.steps import SqlStep

    path = next((path for path in (file, project.root / file) if path.is_file()), None)
    if path is None:
        raise NotFoundError(
            f"there is no file `{file}`", hint="write its path from here, or from the project's folder"
        )
    layouts = [step for step in project.graph.steps.values() if isinstance(step, SqlStep)]
    place = path.resolve()
    for step in layouts:
        if place in {Path(name).resolve() for name in (step.file, step.sql_file) if name}:
            return step
    if path.suffix != ".json":
        hint = "a project's own layouts lie in `layouts/<pack>/<layer>/`"
        raise NotFoundError(f"`{file}` is no layout of the project in {project.root}", hint=hint)
    job = job_of(path, shown(path))
    from gamelake.model.steps import Target

    by_dataset = {str(step.delta_of or step.outputs[0].dataset): step for step in layouts}
    by_table = {
        output.target.table: by_dataset[name]
        for name, output in project.graph.outputs.items()
        if isinstance(output.target, Target) and name in by_dataset
    }
    found = [by_dataset[name] for name in job.datasets if name in by_dataset]
    found += [by_table[table] for table in job.tables if table in by_table]
    if not found:
        near = did_you_mean(job.datasets[0], by_dataset) if job.datasets else None
        hint = near or f"`gamelake layout import {file} --pack …` brings it into the project"
        raise NotFoundError(f"`{file}` names no job of the project, looked for {job}", hint=hint)
    if says_otherwise(path, shown(path), found[0]):
        say(
            f"! {file} differs from {found[0].file}, which is what runs: `gamelake layout import` takes it over"
        )
    return found[0]


def with_slice(project: Project, step: SqlStep, given: Mapping[str, str]) -> dict[str, str]:
    """The variables given, and for each date that chooses the slice its default, else yesterday."""
    refuse_idle(project, step, given)
    dates = {
        name: step.defaults.get(name, "yesterday") for name in step.bindings if step.variables[name] == "date"
    }
    return {**dates, **given}


def refuse_idle(project: Project, step: SqlStep, given: Mapping[str, str]) -> None:
    """UserError for a variable that neither the layout has nor anything it needs takes as a value."""
    from gamelake.model.steps import SqlStep

    known = set(step.variables)
    for name in project.graph.select([step.name]):
        other = project.graph.steps[name]
        known |= other.variables.keys() - other.bindings.keys() if isinstance(other, SqlStep) else set()
    for name in given:
        if name not in known:
            listed = ", ".join(f"`{word}`" for word in sorted(known)) or "none"
            raise UserError(
                f"undefined variable `{name}`, {step.file} and what it reads define: {listed}",
                hint=did_you_mean(name, known),
            )


def slice_of(project: Project, step: SqlStep, filled: Mapping[str, str]) -> Slice:
    """The slice that the variables choose; without any, all of them."""
    from gamelake.layouts.variables import slice_columns
    from gamelake.model.slices import Slice
    from gamelake.pipeline.variables import today

    chosen = slice_columns([step], filled, today(project.settings, project.clock))
    columns = step.outputs[0].slice_columns
    return Slice(tuple((name, chosen[name]) for name in columns if name in chosen))


def unbuilt(project: Project, step: SqlStep, part: Slice) -> Iterator[str]:
    """Why slices that were asked for are not there; nothing when all are."""
    from gamelake.pipeline.assess import PlanState, assess

    now = project.graph.steps[step.name]  # with its variables set
    found = assess(project, now, slices=(part,)).items
    if not found:
        yield f"{step.name} {part}: nothing it reads has such a slice"
    there = {PlanState.FRESH, PlanState.STALE}  # stale: somebody has published an input since
    yield from (f"{item.step} {item.slice}: {item.reason}" for item in found if item.state not in there)
