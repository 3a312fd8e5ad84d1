"""`gamelake simulate wow`: writes combat logs of a guild that does not exist."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.errors import UserError

if TYPE_CHECKING:
    from gamelake.games.wow.simulate.simulator import Night

app = typer.Typer(no_args_is_help=False, add_completion=False)

_FORMATS = ("combatlog",)
_DIALECTS = ("v22", "v20", "v17", "v9")


@app.callback(invoke_without_command=True)
def wow(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for one log a night, or one file ending in .txt or .log.")
    ],
    format_name: Annotated[str, typer.Option("--format", help="What to write: combatlog.")] = "combatlog",
    nights: Annotated[int, typer.Option("--nights", "--raids", min=1, help="Raid nights, two a week.")] = 12,
    seed: Annotated[int, typer.Option(help="Everything follows from it: same seed, same bytes.")] = 42,
    guild: Annotated[
        str, typer.Option(help="The guild's name; its members follow from it.")
    ] = "Lantern Bearers",
    players: Annotated[int, typer.Option(min=5, max=40, help="Core members of the guild.")] = 25,
    attendance: Annotated[float, typer.Option(min=0.2, max=1.0, help="Chance that a member comes.")] = 0.85,
    trial_rate: Annotated[float, typer.Option(min=0.0, max=0.5, help="Trials per place and night.")] = 0.05,
    pulls: Annotated[int, typer.Option(min=1, max=60, help="Pulls a night at most.")] = 6,
    scale: Annotated[
        float, typer.Option(min=0.1, max=50.0, help="Density of lines; 1 is about 25 a second.")
    ] = 1.0,
    start: Annotated[str, typer.Option(help="First night, YYYY-MM-DD.")] = "2026-01-07",
    dialect: Annotated[str, typer.Option(help="v22, v20, v17 or v9.")] = "v22",
    as_json: Annotated[bool, typer.Option("--json", help="Print one object instead of a table.")] = False,
) -> None:
    """Writes combat logs of a fixed guild over several nights, and the truth about them beside."""
    from gamelake.games.wow.simulate.simulator import WowSimulator

    _one_of("--format", format_name, _FORMATS)
    _one_of("--dialect", dialect, _DIALECTS)
    simulator = WowSimulator(
        seed=seed,
        nights=nights,
        guild=guild,
        players=players,
        attendance=attendance,
        trial_rate=trial_rate,
        pulls=pulls,
        scale=scale,
        first_day=_day(start),
        dialect=dialect,
    )
    written = _write_with_progress(simulator, out, nights)
    if as_json:
        sys.stdout.write(json.dumps(_summary(out, written), ensure_ascii=False, indent=2) + "\n")
    else:
        _print_table(written)


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"`{option} {value}` is not known, expected one of: {', '.join(known)}")


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar day has no zone
    except ValueError:
        raise UserError(f"`--start {text}` is no date", hint="write it as 2026-01-07") from None


def _write_with_progress(simulator: Any, out: Path, nights: int) -> list[Night]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Raid nights", total=nights)
        written: list[Night] = simulator.write(out, progress=lambda _: progress.advance(task))
        return written


def _summary(out: Path, written: list[Night]) -> dict[str, Any]:
    return {
        "out": str(out),
        "bytes": sum(night.bytes for night in written),
        "nights": [
            {
                "file": str(night.path),
                "bytes": night.bytes,
                "raid_date": night.truth.raid_date,
                "pulls": len(night.truth.pulls),
                "kills": sum(pull.success for pull in night.truth.pulls),
            }
            for night in written
        ],
    }


def _print_table(written: list[Night]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("night", "log", "size", "pulls", "kills", box=None, pad_edge=False)
    for night in written:
        pulls = night.truth.pulls
        kills = sum(pull.success for pull in pulls)
        size = f"{night.bytes / 1e6:.1f} MB"
        table.add_row(night.truth.raid_date, str(night.path), size, str(len(pulls)), str(kills))
    Console().print(table)
