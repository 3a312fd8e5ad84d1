"""`gamelake export`: files by which other tools run or read the project."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gamelake.errors import UserError
from gamelake.packs import open_project
from gamelake.present.console import print_json, say
from gamelake.present.options import JsonOption, ProjectOption, group

if TYPE_CHECKING:
    from gamelake.jobs.orchestrators import Orchestrator

app = group("Write the files by which other tools run the project.")

OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="DAY",
        help="First day of the slices; by default the earliest there is.",
        show_default=False,
    ),
]


@app.command()
def airflow(
    out: OutOption, start: StartOption = None, project: ProjectOption = None, as_json: JsonOption = False
) -> None:
    """Write the steps as an Airflow DAG for each schedule, `<project>_dag.py`.

    Each task calls `gamelake run STEP --only` for the days of its data interval. Writing it again gives the same.
    """
    _write("airflow", out, start, project, as_json=as_json)


@app.command()
def dagster(
    out: OutOption, start: StartOption = None, project: ProjectOption = None, as_json: JsonOption = False
) -> None:
    """Write the steps as Dagster assets with a job for each schedule, `definitions.py`.

    Each asset calls `gamelake run STEP --only` for its partition. Writing it again gives the same.
    """
    _write("dagster", out, start, project, as_json=as_json)


def _write(kind: Orchestrator, out: Path, start: str | None, project: Path | None, *, as_json: bool) -> None:
    from gamelake.jobs.orchestrators import render

    if start is not None:
        try:
            start = date.fromisoformat(start).isoformat()
        except ValueError as err:
            raise UserError(f"`--start {start}` is not a day", hint="write it as 2026-01-31") from err
    with open_project(project) as opened:
        name, text = render(opened, kind, start)
    out.mkdir(parents=True, exist_ok=True)
    (out / name).write_text(text, encoding="utf-8")
    if as_json:
        print_json({"folder": str(out), "files": [name]})
    else:
        say(f"{out / name} written")
