"""A line on stderr for each step at work; finished steps stay as one line each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from gamelake.present import formats
from gamelake.present.console import STATE_MARKS, talk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from gamelake.pipeline.events import Listener
    from gamelake.pipeline.events import Progress as Told


@contextmanager
def steps_progress(*, quiet: bool = False) -> Iterator[Listener]:
    """A listener for a run: bars on a terminal, one line for each finished step elsewhere."""
    console = talk()
    columns = (
        SpinnerColumn(style="name"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28, complete_style="name", finished_style="good"),
        TextColumn("{task.completed:,.0f} / {task.total:,.0f} {task.fields[unit]}"),
        TextColumn("[quiet]{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:

        def listen(progress: Told) -> None:
            if quiet:
                return
            total = progress.total or 1
            rate = formats.rate(progress.rows, progress.seconds) if progress.rows else ""
            if progress.step not in bars:
                bars[progress.step] = bar.add_task(progress.step, total=total, unit=progress.unit, rate=rate)
            bar.update(
                bars[progress.step], completed=progress.done, total=total, unit=progress.unit, rate=rate
            )
            if progress.kind == "step_finished":
                bar.remove_task(bars.pop(progress.step))
                if progress.rows:
                    mark, style = STATE_MARKS["published"]
                    amount = f"{formats.plural(progress.rows, 'row')}, {formats.duration(progress.seconds)}"
                    console.print(f"[{style}]{mark}[/] {progress.step}  [quiet]{amount}[/]")

        yield listen
