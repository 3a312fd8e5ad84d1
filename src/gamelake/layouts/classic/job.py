"""Which job an older JSON layout is about, told by its name and by what it writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError, Place, UserError
from gamelake.layouts.classic.importing import LAKE_PATH, OWN_KEY, import_layout
from gamelake.layouts.frontmatter import split
from gamelake.layouts.json_lines import read_json
from gamelake.layouts.load import make_step
from gamelake.layouts.spelling import read_text
from gamelake.model.names import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gamelake.model.steps import SqlStep


@dataclass(frozen=True)
class Job:
    """Datasets and tables of other systems that a file may mean, the likeliest first."""

    datasets: tuple[str, ...]
    tables: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(
            [*(f"`{name}`" for name in self.datasets), *(f"the table `{t}`" for t in self.tables)]
        )


def job_of(file: Path, shown: str) -> Job:
    """What an older layout names; LayoutError when the file is none."""
    data, _ = read_json(read_text(file, shown), shown)
    if not isinstance(data.get("outputs"), list) or not isinstance(data.get("inputSources"), list):
        problem = "the file is no layout: it has no `inputSources` and `outputs`"
        raise LayoutError(problem, Place(shown))
    names = [*_own_name(data, file), *_name_of(file)]
    outputs = [output for output in data["outputs"] if isinstance(output, dict)]
    for output in outputs:
        found = LAKE_PATH.fullmatch(str(output.get("path", "")))
        if found is not None:
            names += _dataset(found["pack"], found["layer"], found["name"])
    tables = [str(output["table"]) for output in outputs if "table" in output]
    return Job(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(tables)))


def says_otherwise(file: Path, shown: str, step: SqlStep) -> bool:
    """True when a layout that gamelake exported holds other SQL or columns by now than the step.

    Older files that people wrote have no words for half of a layout, so they are not compared.
    """
    data, _ = read_json(read_text(file, shown), shown)
    if not isinstance(data.get(OWN_KEY), dict):
        return False
    output = step.outputs[0]
    try:
        made = import_layout(file, shown, output.dataset.pack)
        told = make_step(file.with_name(f"{made.name}.sql"), split(made.text, shown), made.pack)
    except LayoutError:
        return True
    same_sql = told.fingerprint.partition("-")[0] == step.fingerprint.partition("-")[0]
    return not (same_sql and told.outputs[0].schema == output.schema)


def _own_name(data: dict[str, Any], file: Path) -> Iterator[str]:
    """What gamelake wrote into a layout that it exported."""
    own = data.get(OWN_KEY)
    if isinstance(own, dict):
        pack = own.get("pack", file.resolve().parent.parent.name)
        yield from _dataset(str(pack), str(own.get("folder")), str(own.get("name")))


def _name_of(file: Path) -> Iterator[str]:
    """`…/l2m/etl/l2m_active.json` is `l2m.bronze.active`."""
    folder = file.resolve().parent
    pack = folder.parent.name
    name = re.sub(r"\W+", "_", file.stem.lower())
    yield from _dataset(pack, folder.name, name.removeprefix(f"{pack}_"))


def _dataset(pack: str, layer: str, name: str) -> Iterator[str]:
    try:
        yield f"{pack}.{Layer.parse(layer).value}.{name}"
    except UserError:
        return
