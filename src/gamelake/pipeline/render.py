"""Showing what would run: a layout's SQL for one slice, and how the engine goes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.errors import NotFoundError, UserError
from gamelake.layouts.template import render as render_template
from gamelake.model.steps import SqlStep
from gamelake.pipeline.assess import assess
from gamelake.pipeline.variables import apply, refuse_unset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gamelake.model.slices import Slice
    from gamelake.pipeline.assess import Assessment
    from gamelake.pipeline.project import Project


def render(
    project: Project, target: str, part: Slice | None = None, given: Mapping[str, str] | None = None
) -> str:
    """SQL as it runs for a slice; without one, for the newest slice the step wants.

    `given` sets variables; those bound to slice columns say which slice is meant.
    """
    named = sql_step(project, target).name
    chosen = apply(project, given or {}, [named], None if part is None else [part])
    step = sql_step(project, named)
    refuse_unset([step])
    if chosen and {name for name, _ in chosen[0].keys} >= set(step.outputs[0].slice_columns):
        part = chosen[0].project(step.outputs[0].slice_columns)
    elif chosen:
        part = _newest(assess(project, step, slices=chosen))
    return render_template(step, part or _newest(assess(project, step))).strip()


def explain(project: Project, target: str, part: Slice | None = None, *, analyze: bool = False) -> str:
    """The engine's plan for a slice; `analyze` runs the query and adds times and rows."""
    step = sql_step(project, target)
    found = assess(project, step)
    chosen = part or _newest(found)
    with project.engine.session() as session:
        for name, dataset in step.inputs.items():
            files = [file for v in found.index.feeding(str(dataset), chosen) for file in v.files]
            session.view(name, project.graph.outputs[str(dataset)].schema, files)
        keyword = "EXPLAIN ANALYZE" if analyze else "EXPLAIN"
        rows = session.connection.execute(f"{keyword} {render_template(step, chosen)}").fetchall()
    return "\n".join(str(row[1]) for row in rows)


def sql_step(project: Project, target: str) -> SqlStep:
    """The layout behind a target; UserError when it is several steps, or one in Python."""
    names = project.graph.named(target)
    if len(names) != 1:
        problem = f"`{target}` means {len(names)} steps: {', '.join(names)}"
        raise UserError(problem, hint="name one of them")
    step = project.graph.steps[names[0]]
    if not isinstance(step, SqlStep):
        problem = f"`{target}` is written in Python, it has no SQL"
        raise UserError(problem, hint="`gamelake lineage` shows what it reads and writes")
    return step


def _newest(found: Assessment) -> Slice:
    if not found.items:
        problem = "the step has no slice yet, because its inputs have none"
        raise NotFoundError(problem, hint="import something first, or name a slice")
    return found.items[-1].slice
