"""Showing what would run: a layout's SQL for one slice, and how the engine goes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.errors import NotFoundError, UserError
from gamelake.layouts.template import render as render_template
from gamelake.model.steps import FoldStep, SqlStep
from gamelake.pipeline.assess import PlanState, assess
from gamelake.pipeline.variables import apply, refuse_unset
from gamelake.pipeline.views import show_inputs

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
        part = newest_ready(assess(project, step, slices=chosen))
    return render_template(step, part or newest_ready(assess(project, step))).strip()


def explain(project: Project, target: str, part: Slice | None = None, *, analyze: bool = False) -> str:
    """The engine's plan for a slice; `analyze` runs the query and adds times and rows."""
    step = sql_step(project, target)
    found = assess(project, step)
    chosen = part or newest_ready(found)
    with project.engine.session() as session:
        show_inputs(project, session, step, found.index, chosen)
        keyword = "EXPLAIN ANALYZE" if analyze else "EXPLAIN"
        rows = session.connection.execute(f"{keyword} {render_template(step, chosen)}").fetchall()
    return "\n".join(str(row[1]) for row in rows)


def sql_step(project: Project, target: str) -> SqlStep:
    """The layout behind a target; UserError when it is several steps, or one in Python."""
    named = project.graph.named(target)
    # a table that is folded has its SQL in the step before
    names = [name for name in named if not isinstance(project.graph.steps[name], FoldStep)]
    if len(names) != 1:
        problem = f"`{target}` means {len(names)} steps: {', '.join(names)}"
        raise UserError(problem, hint="name one of them")
    step = project.graph.steps[names[0]]
    if not isinstance(step, SqlStep):
        problem = f"`{target}` is written in Python, it has no SQL"
        raise UserError(problem, hint="`gamelake lineage` shows what it reads and writes")
    return step


def newest_ready(found: Assessment) -> Slice:
    """The newest slice whose inputs are there; NotFoundError when there is none."""
    ready = [item for item in found.items if item.state is not PlanState.WAITING]
    if not ready:
        problem = "the step has no slice yet, because its inputs have none"
        raise NotFoundError(problem, hint="import something first, or name a slice")
    return ready[-1].slice
