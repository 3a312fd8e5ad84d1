"""Writing layouts as the older JSON files and templates; importing them gives the same layouts again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gamelake.layouts.classic.importing import OWN_KEY
from gamelake.model.names import DatasetName, Layer
from gamelake.model.steps import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gamelake.layouts.document import InputDocument, LayoutDocument
    from gamelake.layouts.frontmatter import FrontMatter

FOLDERS = {Layer.BRONZE: "etl", Layer.SILVER: "std", Layer.GOLD: "cons"}
GROUP = "re-standardization"


ENGINE = """#!/usr/bin/env python3
\"\"\"Runs one job as the older engine was called: python etl_engine.py --layout FILE --vars "logDate=2024-12-29".\"\"\"

import os
import sys
from pathlib import Path

from gamelake.cli.main import main

os.environ.setdefault("GAMELAKE_PROJECT", str(Path(__file__).resolve().parent / {project!r}))
main(["etl", *sys.argv[1:]])
"""
"""`etl_engine.py` of an exported tree; `project` is the way from there to the project."""


def export_layout(
    name: DatasetName,
    document: LayoutDocument,
    front: FrontMatter,
    *,
    names: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, str]]:
    """(path, text) of the JSON file and of its template. `names` gives another file name for a dataset's name."""
    job = (names or {}).get(name.name, name.name)
    template = f"templates/{GROUP}/{name.pack}/{FOLDERS[name.layer]}_{job}.sql.j2"
    yield (
        f"layouts/{GROUP}/{name.pack}/{FOLDERS[name.layer]}/{name.pack}_{job}.json",
        _json(name, document, front, template),
    )
    if front.sql.strip():
        yield template, front.sql


def _json(name: DatasetName, document: LayoutDocument, front: FrontMatter, template: str) -> str:
    output = document.outputs[0]
    variable = next(iter(output.slice.values()), None)
    made: dict[str, Any] = {
        "description": document.description,
        "inputSources": [_input(source, variable) for source in document.inputs],
    }
    if front.sql.strip():
        made["sqlTemplate"] = template
    target: dict[str, Any] = {"type": "jdbc", "connection": output.connection, "table": output.table}
    if output.connection is None:
        folder = f"{{lake}}/{name.pack}/{FOLDERS[name.layer]}/{name.name}"
        path = f"{folder}/{{{variable}}}" if variable else folder
        target = {"type": "file", "path": output.path or path, "format": output.format or "parquet"}
    mode = "overwrite" if output.resolved_mode is Mode.SNAPSHOT_REPLACE else "append"
    target["mode"] = mode
    if output.slice:
        told = (f"{column} = '{{{bound}}}'" for column, bound in output.slice.items())
        target["deleteCondition"] = " AND ".join(told)
    if output.grain:
        target["tableKey"] = list(output.grain)
    made["outputs"] = [target]
    made[OWN_KEY] = {
        "pack": name.pack,
        "name": name.name,
        "folder": name.layer.value,
        "layout": _plain(front.data),
    }
    return json.dumps(made, indent=2, ensure_ascii=False, default=str) + "\n"


def _input(source: InputDocument, variable: str | None) -> dict[str, Any]:
    if source.resolved_type in {"table", "query"}:
        found = {"connection": source.connection, "table": source.table, "query": source.query}
        return {"name": source.name, "type": "jdbc", **{k: v for k, v in found.items() if v is not None}}
    if source.resolved_type == "file":
        return {
            "name": source.name,
            "type": "file",
            "path": source.path,
            "format": source.format.value,
        }
    dataset = DatasetName.parse(str(source.dataset))
    path = f"{{lake}}/{dataset.pack}/{FOLDERS[dataset.layer]}/{dataset.name}"
    back, ahead = (n if isinstance(n, int) else 0 for n in (source.lookback, source.lookahead))
    days = f"{variable}({-back},{ahead})" if back or ahead else variable
    return {
        "name": source.name,
        "type": "file",
        "path": f"{path}/{{{days}}}" if variable else path,
        "format": "parquet",
    }


def _plain(value: Any) -> Any:
    """YAML knows dates, JSON does not."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
