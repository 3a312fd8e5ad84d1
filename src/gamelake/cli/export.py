"""`gamelake export`: files by which other tools run or read the project."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import print_json, say
from gamelake.present.options import JsonOption, ProjectOption, SliceOption, group, parse_slices

app = group("Write the files by which other tools run or read the project.")


@app.callback()
def _group() -> None:
    """A group also while it has one command only."""


OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")]


class HiveFormat(StrEnum):
    """Formats of exported files."""

    PARQUET = "parquet"
    CSV = "csv"


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
