"""`gamelake export`: files by which other tools run or read the project."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gamelake.errors import UserError
from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import print_json, say
from gamelake.present.options import JsonOption, ProjectOption, SliceOption, group, parse_slices

if TYPE_CHECKING:
    from gamelake.jobs.orchestrators import Orchestrator

app = group("Write the files by which other tools run or read the project.")

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


class HiveFormat(StrEnum):
    """Formats of exported files."""

    PARQUET = "parquet"
    CSV = "csv"


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


@app.command()
def hive(
    dataset: Annotated[str, typer.Argument(help="Dataset, such as pack.gold.name.")],
    out: OutOption,
    slices: SliceOption = None,
    kind: Annotated[HiveFormat, typer.Option("--format", help="Format of the files.")] = HiveFormat.PARQUET,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a dataset as folders `column=value` with one file for each slice, for tools outside.

    Exporting again writes only slices whose rows changed, and removes those that are gone. Each file is replaced at
    one moment.
    """
    from gamelake.pipeline.hive import export_hive

    with open_project(project) as opened:
        done = export_hive(opened, dataset, out, kind=kind.value, slices=parse_slices(slices))
    if as_json:
        print_json({"dataset": dataset, "folder": str(out), **asdict(done)})
        return
    written = (
        f"{formats.plural(len(done.written), 'slice')}, {formats.plural(done.rows, 'row')} written to {out}"
    )
    removed = f"; {len(done.removed)} removed" if done.removed else ""
    say(f"{written}; {len(done.unchanged)} unchanged{removed}")


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
