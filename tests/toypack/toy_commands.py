"""Commands of the toy pack."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gamelake.packs import open_project

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def toy() -> None:
    """Scores of a game nobody plays."""


@app.command()
def load(day: str, scores: Annotated[list[str], typer.Argument(metavar="PLAYER=SCORE…")]) -> None:
    """Make these the scores of the day."""
    import pyarrow as pa
    from toy_pack import SCORES

    from gamelake.model.slices import Slice
    from gamelake.pipeline.source import source_run

    pairs = [text.partition("=") for text in scores]
    rows = pa.table(
        {
            "day": [date.fromisoformat(day)] * len(pairs),
            "player": [name for name, _, _ in pairs],
            "score": [int(score) if score else None for _, _, score in pairs],
        }
    )
    with open_project(Path.cwd()) as project, source_run(project, f"load {day}", name="toy_scores") as run:
        run.publish(SCORES, {Slice.of(day=day): [rows]})


def simulate(players: int = 2) -> None:
    """Print made-up scores."""
    for number in range(players):
        typer.echo(f"p{number}={number * 10}")


@app.command()
def crash() -> None:
    """Fail as only a mistake of ours would."""
    raise ZeroDivisionError("made on purpose")
