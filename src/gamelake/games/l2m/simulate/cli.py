"""`gamelake simulate l2m`: writes the source tables of a game that does not exist."""

from __future__ import annotations

import time
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.errors import UserError
from gamelake.present.options import JsonOption

if TYPE_CHECKING:
    from gamelake.games.l2m.simulate import L2mSimulator, Written

app = typer.Typer(no_args_is_help=False, add_completion=False)


@app.callback(invoke_without_command=True)
def l2m(
    out: Annotated[Path, typer.Option("--out", help="Folder for the source, new or empty.")],
    users: Annotated[int, typer.Option(help="Accounts; they come to play by and by.")] = 1000,
    days: Annotated[int, typer.Option(help="Business days, and days of arrival.")] = 30,
    start: Annotated[str, typer.Option(help="First business day, YYYY-MM-DD.")] = "2024-12-16",
    seed: Annotated[int, typer.Option(help="Everything follows from it: same seed, same bytes.")] = 42,
    scenario: Annotated[
        str, typer.Option(help="How like people the bots are: easy, default or hard.")
    ] = "default",
    scale: Annotated[float, typer.Option(help="Density of rows; 1 is about 15 a day of play.")] = 1.0,
    missing_rate: Annotated[
        bool,
        typer.Option("--missing-rate", help="Leave out a rate that is needed; truth/missing_rates has it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Writes logs, payments, profiles and settings of an invented mobile game, and the truth about them."""
    from gamelake.games.l2m.simulate import L2mSimulator

    simulator = L2mSimulator(
        users=users,
        days=days,
        start=_day(start),
        seed=seed,
        scenario=scenario,
        scale=scale,
        missing_rate=missing_rate,
    )
    began = time.monotonic()
    written = _write_with_progress(simulator, out, quiet=as_json)
    _tell(simulator, written, time.monotonic() - began, as_json=as_json)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a business day has no zone
    except ValueError:
        raise UserError(f"`--start {text}` is no date", hint="write it as 2024-12-16") from None


def _write_with_progress(simulator: L2mSimulator, out: Path, *, quiet: bool) -> Written:
    from gamelake.present.console import progress

    with progress("Simulating", quiet=quiet) as meter:

        def on_block(*, done: int, total: int, rows: int) -> None:
            meter(rows, round(rows * total / done), f"day {(done - 1) * simulator.days // total + 1}")

        return simulator.write(out, progress=on_block)


def _tell(simulator: L2mSimulator, written: Written, seconds: float, *, as_json: bool) -> None:
    from gamelake.present import formats
    from gamelake.present.console import Col, print_json, print_table, say

    if as_json:
        print_json(_summary(simulator, written))
        return
    print_table([Col("table"), Col("rows", formats.count, right=True)], list(written.rows.items()))
    speed = formats.rate(written.log_rows, seconds)
    say(f"{formats.count(written.log_rows)} log rows, {formats.size(written.bytes)}, {speed}: {written.out}")


def _summary(simulator: L2mSimulator, written: Written) -> dict[str, Any]:
    return {
        "out": str(written.out),
        "seed": simulator.seed,
        "scenario": simulator.scenario.name,
        "from": simulator.start.isoformat(),
        "to": simulator.last_day.isoformat(),
        "bytes": written.bytes,
        "log_rows": written.log_rows,
        "rows": written.rows,
    }
