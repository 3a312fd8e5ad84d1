"""Files by which other orchestrators run a project: its steps, what each reads, and its schedules.

Whatever starts a step calls `gamelake run STEP --only`, so checks, receipts and the ledger are the same as ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from gamelake.errors import UserError
from gamelake.jobs.schedules import next_due
from gamelake.model.steps import SqlStep
from gamelake.pipeline.check_fit import judged_against
from gamelake.pipeline.reach import Reach, date_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gamelake.model.steps import Output, Step
    from gamelake.pipeline.project import Project
    from gamelake.settings import Schedule

Orchestrator = Literal["airflow", "dagster"]
FILES: dict[Orchestrator, str] = {"airflow": "{name}_dag.py", "dagster": "definitions.py"}
_TEMPLATES = Path(__file__).parent / "templates"
_FROM = datetime(2024, 1, 1, tzinfo=UTC)  # any: how far apart two ticks of a schedule may lie
_TICKS = 60
_MINUTES = {"m": 1, "h": 60, "d": 1440}


@dataclass(frozen=True)
class Task:
    """One step: what it writes, the steps and datasets it reads, and the date column of its slices."""

    name: str
    description: str
    outputs: tuple[str, ...]
    reads: tuple[str, ...]  # steps
    inputs: tuple[tuple[str, int], ...]  # datasets, and how many days back of each
    day: str | None
    carries: bool

    @classmethod
    def of(cls, project: Project, step: Step) -> Task:
        """The task of a step."""
        graph = project.graph
        days: dict[str, int] = dict.fromkeys(judged_against(step.outputs), 0)
        for view in step.inputs:
            reach = Reach.of(step, view, graph.outputs)
            back = reach.reading.lookback if reach.day else 0
            days[reach.dataset] = max(back, days.get(reach.dataset, 0))
        return cls(
            step.name,
            " ".join(step.description.split()),
            tuple(str(output.dataset) for output in step.outputs),
            tuple(sorted(graph.upstream(step.name))),
            tuple(sorted(days.items())),
            day_of(step.outputs[0]),
            isinstance(step, SqlStep) and step.carries,
        )


@dataclass(frozen=True)
class Plan:
    """One DAG or job: a schedule of the project with its steps; without any schedule, everything by hand."""

    name: str
    steps: tuple[str, ...]
    schedule: Schedule | None
    zone: str

    @cached_property
    def days(self) -> int:
        """Most days that lie between two due times, at least one: so many slices a run looks at."""
        if self.schedule is None:
            return 1
        zone, longest, last = ZoneInfo(self.zone), 1, next_due(self.schedule, _FROM, self.zone)
        for _ in range(_TICKS):
            due = next_due(self.schedule, last, self.zone)
            longest = max(longest, (due.astimezone(zone).date() - last.astimezone(zone).date()).days)
            last = due
        return longest

    @property
    def minutes(self) -> int:
        """Minutes between two due times of an interval; 0 for a cron."""
        every = self.schedule.every if self.schedule else None
        return int(every[:-1]) * _MINUTES[every[-1]] if every else 0

    @property
    def cron(self) -> str:
        """The schedule as cron; UserError for an interval that is none."""
        if self.schedule is None or self.schedule.cron is not None:
            return (self.schedule.cron if self.schedule else None) or ""
        minutes = self.minutes
        if minutes < 60 and 60 % minutes == 0:
            return f"*/{minutes} * * * *"
        if minutes % 60 == 0 and minutes < 1440 and 24 % (minutes // 60) == 0:
            return f"0 */{minutes // 60} * * *"
        if minutes == 1440:
            return "0 0 * * *"
        problem = f"schedule `{self.schedule.name}`: no cron comes every {self.schedule.every}"
        raise UserError(
            problem, hint="write it as `cron`, or with an interval that divides the hour or the day"
        )


def day_of(output: Output) -> str | None:
    """The date column by which an output is sliced; None when it is not."""
    return next(iter(date_columns(output, output.slice_columns)), None)


def render(project: Project, kind: Orchestrator, start: str | None) -> tuple[str, str]:
    """Name and text of the file for an orchestrator; the same for the same project.

    `start` is the first day of its slices; by default the earliest in the ledger.
    """
    import jinja2

    settings = project.settings
    name = identifier(settings.name or "gamelake")
    plans = tuple(
        Plan(
            identifier(f"{name}_{schedule.name}"),
            tuple(project.graph.select(schedule.targets)),
            schedule,
            schedule.zone or settings.zone,
        )
        for schedule in settings.schedules
    ) or (Plan(name, tuple(project.graph.steps), None, settings.zone),)
    wanted = {step for plan in plans for step in plan.steps}
    tasks = [Task.of(project, step) for step in project.graph.steps.values() if step.name in wanted]
    written = {dataset for task in tasks for dataset in task.outputs}
    read = sorted({dataset for task in tasks for dataset, _ in task.inputs} - written)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 – Python, whose values go through `quoted`
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["py"] = quoted
    text = environment.get_template(f"{kind}.py.j2").render(
        project=settings.name or "gamelake",
        root=str(settings.root),
        zone=settings.zone,
        start=start or first_day(project),
        plans=plans,
        tasks=tasks,
        sources=[(dataset, day_of(project.graph.outputs[dataset])) for dataset in read],
    )
    return FILES[kind].format(name=name), text


def first_day(project: Project) -> str:
    """The earliest day of any slice there is; UserError before there is one."""
    days = [
        value
        for dataset, output in project.graph.outputs.items()
        if (column := day_of(output))
        for part in project.ledger.current(dataset)
        if (value := part.as_dict().get(column))
    ]
    if not days:
        problem = "there is no slice yet from which the first day could be told"
        raise UserError(problem, hint="say it: `--start 2026-01-01`")
    return min(days)


def identifier(text: str) -> str:
    """A name that every orchestrator takes.

    >>> identifier("Raid nights (EU)")
    'raid_nights_eu'
    """
    return re.sub(r"\W+", "_", text.lower(), flags=re.ASCII).strip("_") or "gamelake"


def quoted(value: Any) -> str:
    r"""Python for a text, a number or a tuple of them, with double quotes.

    >>> print(quoted('a"b'), quoted(("x",)), quoted(None))
    "a\"b" ("x",) None
    """
    import json

    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return _row(value)
    return repr(value)


def _row(values: Iterable[Any]) -> str:
    inner = [quoted(value) for value in values]
    return f"({inner[0]},)" if len(inner) == 1 else f"({', '.join(inner)})"
