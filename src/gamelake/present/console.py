"""The terminal: data goes to stdout, talk goes to stderr, meaning never by colour alone."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from gamelake.errors import GamelakeError
from gamelake.present import formats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.progress import Task

_THEME = Theme(
    {
        "good": "green",
        "bad": "bold red",
        "warn": "yellow",
        "quiet": "bright_black",
        "name": "cyan",
        "head": "bold bright_black",
        "bronze": "dark_orange3",
        "silver": "grey70",
        "gold": "gold3",
    }
)
_WRAPPED = 24  # characters of a column that wraps, at least, before spare columns go
STATE_MARKS = {
    "succeeded": ("✓", "good"),
    "published": ("✓", "good"),
    "passed": ("✓", "good"),
    "fresh": ("✓", "good"),
    "ok": ("✓", "good"),
    "failed": ("✗", "bad"),
    "interrupted": ("!", "warn"),
    "stale": ("~", "warn"),
    "warn": ("!", "warn"),
    "blocked": ("!", "warn"),
    "built": ("✓", "good"),
    "forced": ("~", "warn"),
    "running": ("▶", "name"),
    "queued": ("…", "quiet"),
    "missing": ("○", "quiet"),
    "depends": ("○", "quiet"),
    "waiting": ("…", "warn"),
    "left": ("~", "quiet"),
    "empty": ("○", "quiet"),
    "cancelled": ("–", "quiet"),
}


def talk() -> Console:
    """Console for everything a person reads and no script does: stderr."""
    return Console(stderr=True, theme=_THEME, highlight=False)


def data() -> Console:
    """Console for results: stdout, never wrapped when it is not a terminal."""
    piped = None if sys.stdout.isatty() else 200
    return Console(theme=_THEME, highlight=False, width=piped)


def say(text: str, *, style: str = "") -> None:
    """One line of talk; text is shown as it is, without markup."""
    talk().print(text, style=style or None, markup=False, soft_wrap=True)


def state(value: str) -> Text:
    """A state with its mark: `✓ succeeded`."""
    mark, style = STATE_MARKS.get(value, ("·", ""))
    return Text(f"{mark} {value}", style=style)


@dataclass(frozen=True)
class Col:
    """One column of a terminal table; `form` turns a value into text."""

    title: str
    form: Callable[[Any], str | Text] = formats.cell
    right: bool = False
    style: str = ""
    wrap: bool = False
    spare: bool = False  # left out where the terminal is too narrow for the whole table


def table(columns: Sequence[Col], rows: Iterable[Sequence[Any]], *, title: str = "") -> Table:
    """Rows as a light table: right-aligned numbers, no box, one rule under the header."""
    made = Table(
        title=escape(title) or None,
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="head",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            style=column.style or None,
            no_wrap=not column.wrap,
            overflow="fold" if column.wrap else "ellipsis",
        )
    for row in rows:
        cells = (column.form(value) for column, value in zip(columns, row, strict=True))
        made.add_row(*(text if isinstance(text, Text) else escape(text) for text in cells))
    return made


def print_table(columns: Sequence[Col], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """A table of results on stdout; in a narrow terminal without its spare columns, the first of them first."""
    console, shown = data(), list(columns)
    lines = [tuple(row) for row in rows]
    made = table(shown, lines, title=title)
    for column in [column for column in columns if column.spare] if console.is_terminal else []:
        if _fits(made, console):
            break
        at = shown.index(column)
        del shown[at]
        lines = [row[:at] + row[at + 1 :] for row in lines]
        made = table(shown, lines, title=title)
    console.print(made)


def _fits(made: Table, console: Console) -> bool:
    """True when all columns have room, those that wrap for a few words on each line."""
    wrapping = [column for column in made.columns if not column.no_wrap]
    for column in wrapping:
        column.max_width = _WRAPPED
    wanted = Measurement.get(console, console.options.update(max_width=10_000), made).maximum
    for column in wrapping:
        column.max_width = None
    return wanted <= console.width


def print_json(value: Any) -> None:
    """One JSON object on stdout; times, ids and records become text."""
    sys.stdout.write(json.dumps(value, default=plain, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """What `json` cannot write by itself: anything with `to_json`, else its text."""
    to_json = getattr(value, "to_json", None)
    if callable(to_json):
        return to_json()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def print_error(error: BaseException, *, debug: bool = False) -> None:
    """One error style: what and where, a blank line, the hint. The traceback only with debug."""
    console = talk()
    if debug:
        console.print_exception()
    if not isinstance(error, GamelakeError):
        console.print(f"[bad]error:[/] {escape(f'{type(error).__name__}: {error}')}", soft_wrap=True)
        console.print(
            "\n[quiet]hint:[/] this is our mistake; `--debug` shows where it happened", soft_wrap=True
        )
        return
    for part in (error, *getattr(error, "others", ())):
        where = f"[bold]{escape(str(part.at))}[/]: " if part.at else ""
        console.print(f"[bad]error:[/] {where}{escape(part.problem)}", soft_wrap=True)
        if part.hint:
            console.print(f"\n[name]hint:[/] {escape(part.hint)}", soft_wrap=True)


class Meter(Protocol):
    """What long work calls to show how far it is."""

    def __call__(self, done: float, total: float | None = None, note: str = "") -> None:
        """Amount done so far, and of how much when known."""
        ...


class _Rate(ProgressColumn):
    """Amount per second and the time left."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        amount = (
            f"{formats.size(speed)}/s" if self._unit == "bytes" else f"{formats.number(speed)} {self._unit}/s"
        )
        left = task.time_remaining
        return Text(
            f"{amount}  {formats.duration(left)} left" if left and not task.finished else amount, "quiet"
        )


class _Done(ProgressColumn):
    """Amount done, of how much."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._form = formats.size if unit == "bytes" else formats.number

    def render(self, task: Task) -> Text:
        done = self._form(task.completed)
        return Text(f"{done} / {self._form(task.total)}" if task.total else done)


@contextmanager
def progress(title: str, *, unit: str = "rows", quiet: bool = False) -> Iterator[Meter]:
    """A progress line on stderr with rate and time left; silent when stderr is not a terminal."""
    console = talk()
    columns = (
        SpinnerColumn(style="name"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28, complete_style="name", finished_style="good"),
        _Done(unit),
        _Rate(unit),
        TextColumn("[quiet]{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=None, note="")

        def meter(done: float, total: float | None = None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=escape(note))

        yield meter
