"""Giving values to the variables of a project's layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gamelake.errors import LayoutError
from gamelake.layouts.variables import refuse_unknown, resolved, slice_columns, without_value
from gamelake.model.slices import Slice
from gamelake.model.steps import SqlStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from gamelake.clock import Clock
    from gamelake.model.steps import Source, Step
    from gamelake.pipeline.project import Project
    from gamelake.settings import Settings


def today(settings: Settings, clock: Clock) -> date:
    """The day it is in the project's zone."""
    return settings.moment(clock).astimezone(ZoneInfo(settings.zone)).date()


def with_defaults(members: Iterable[Step | Source], settings: Settings, clock: Clock) -> list[Step | Source]:
    """Members whose layouts have every variable set that has a default."""
    day = today(settings, clock)
    return [resolved(m, {}, day) if isinstance(m, SqlStep) else m for m in members]


def apply(
    project: Project,
    given: Mapping[str, str],
    targets: Sequence[str] | None,
    slices: Sequence[Slice] | None,
) -> tuple[Slice, ...] | None:
    """Set the layouts' variables, and add what those bound to slices choose to the slices asked for.

    Raises UserError for a variable that no selected layout has, or a value that does not fit.
    """
    chosen = None if slices is None else tuple(slices)
    if not given:
        return chosen
    steps = [
        step
        for name in project.graph.select(targets)
        if isinstance(step := project.graph.steps[name], SqlStep)
    ]
    refuse_unknown(steps, given)
    day = today(project.settings, project.clock)
    columns = slice_columns(steps, given, day)
    project.graph = project.graph.replacing(resolved(step, given, day) for step in steps)
    if not columns:
        return chosen
    if chosen is None:
        return (Slice(tuple(columns.items())),)
    return tuple(Slice(tuple({**part.as_dict(), **columns}.items())) for part in chosen)


def refuse_unset(steps: Iterable[Step]) -> None:
    """LayoutError naming every variable of these steps that nobody gave a value."""
    missing = without_value(step for step in steps if isinstance(step, SqlStep))
    if missing:
        raise LayoutError.all_of(missing)
