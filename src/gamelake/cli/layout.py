"""`gamelake layout`: check, format, schema, import, export."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gamelake.errors import LayoutError, NotFoundError, UserError
from gamelake.packs import project_packs
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, say
from gamelake.present.options import JsonOption, ProjectOption, group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.layouts.classic.importing import Imported
    from gamelake.model.steps import Output
    from gamelake.settings import Settings

app = group("Check, format, import and export layouts; print their JSON Schema.")

FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE]…", help="Layouts; by default every one of the project.", show_default=False
    ),
]


class EngineName(StrEnum):
    """Engines whose functions are known."""

    duckdb = "duckdb"
    spark = "spark"
    postgres = "postgres"
    trino = "trino"


@app.command()
def check(
    files: FilesArgument = None,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Engine that must know every function.")
    ] = EngineName.duckdb,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell every mistake of layouts at once: keys, SQL and lints. Runs nothing.

    Exit code 2 when there is one. Files may lie outside of a project; then only what they say themselves is known.
    """
    from gamelake.layouts.check import check_files

    settings = _settings(project, needed=not files)
    wanted = list(_given(files, settings)) if files else list(_own(settings))
    found = check_files(wanted, _others(settings, {file for file, _ in wanted}), engine=engine.value)
    if as_json:
        print_json(found.to_json())
        raise typer.Exit(2 if found.errors else 0)
    if found.errors:
        raise LayoutError.all_of(found.errors)
    say(f"{formats.plural(found.files, 'layout')} without a mistake")


@app.command("format")
def format_files(
    files: FilesArgument = None,
    only_check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 when a file would change.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write layouts in one way: keys in order, SQL tidied. What they mean stays as it is."""
    from gamelake.layouts.formatting import formatted
    from gamelake.layouts.load import shown
    from gamelake.layouts.spelling import read_text

    settings = _settings(project, needed=not files)
    wanted = [file for file, _ in (_given(files, settings) if files else _own(settings, packs=False))]
    changed, errors = [], []
    for file in wanted:
        try:
            text = read_text(file, shown(file))
            made = formatted(text, shown(file))
        except LayoutError as err:
            errors.append(err)
            continue
        if made != text:
            changed.append(shown(file))
            if not only_check:
                file.write_text(made, encoding="utf-8")
    if errors:
        raise LayoutError.all_of(errors)
    if as_json:
        print_json({"files": len(wanted), "changed": changed})
    else:
        for name in changed:
            say(f"{'would change' if only_check else 'formatted'} {name}")
        say(f"{formats.plural(len(wanted), 'layout')}, {formats.count(len(changed))} changed")
    if only_check and changed:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of layouts, for editors."""
    from gamelake.layouts.json_schema import json_schema

    print_json(json_schema())


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="JSON layouts of the older form.")],
    pack: Annotated[str, typer.Option("--pack", help="First part of the datasets' names.")],
    to: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder to write to; by default the project's `layouts`."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over layouts that are there.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn older JSON layouts and their templates into ours, and report what the older engine got wrong.

    Every key keeps its meaning, or the report says why not. Exit code 2 when nothing could be read.
    """
    from gamelake.layouts.classic.importing import import_layout
    from gamelake.layouts.load import shown

    settings = _settings(project, needed=to is None)
    folder = to or (settings.root / "layouts" if settings else Path("layouts"))
    made: list[Imported] = []
    errors = []
    for file in _expanded(files):
        try:
            made.append(import_layout(file, shown(file), pack))
        except LayoutError as err:
            errors.append(err)
    errors += _in_the_way(made, folder, force=force)
    if errors:
        raise LayoutError.all_of(errors)
    for layout in made:
        path = folder / layout.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(layout.text, encoding="utf-8")
    if as_json:
        print_json({"layouts": [layout.to_json() for layout in made]})
        return
    columns = [Col("line"), Col("", style="name"), Col("before", wrap=True), Col("now", wrap=True)]
    for layout in made:
        rows = [(f.line, f"{f.kind}: {f.code}", f.old or "–", f.ours) for f in layout.findings]
        print_table(columns, rows, title=f"{layout.source} → {folder / layout.path}")
    say(
        f"{formats.plural(len(made), 'layout')} written to {folder}; `gamelake layout check` tells what is left to do"
    )


@app.command("export")
def export_files(
    classic: Annotated[
        Path, typer.Option("--classic", metavar="DIR", help="Folder for the older JSON files and templates.")
    ],
    files: FilesArgument = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write layouts as the older JSON files and templates. `layout import` turns them back.

    From a project, an `etl_engine.py` comes along: it takes the older calls to `gamelake etl`.
    """
    from gamelake.layouts.classic.exporting import ENGINE, export_layout
    from gamelake.layouts.load import dataset_of, shown, validated
    from gamelake.layouts.spelling import read_layout

    settings = _settings(project, needed=not files)
    written: list[str] = []
    for file, pack in _given(files, settings) if files else _own(settings):
        front = read_layout(file, shown(file))
        document = validated(front, shown(file))
        for name, text in export_layout(dataset_of(file, pack, front), document, front):
            path = classic / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(name)
    if settings is not None:
        way = os.path.relpath(settings.root.resolve(), classic.resolve())
        (classic / "etl_engine.py").write_text(ENGINE.format(project=way), encoding="utf-8")
        written.append("etl_engine.py")
    if as_json:
        print_json({"folder": str(classic), "files": written})
    else:
        say(f"{formats.plural(len(written), 'file')} written to {classic}")


def _settings(project: Path | None, *, needed: bool) -> Settings | None:
    """Settings of the project at hand; None when there is none and none is needed."""
    from gamelake.settings import Settings, find_project

    try:
        root = find_project(project or Path.cwd())
    except UserError:
        if needed or project is not None:
            raise
        return None
    return Settings.load(root)


def _own(settings: Settings | None, *, packs: bool = True) -> Iterator[tuple[Path, str]]:
    """(file, pack) of every layout of the project and, if wanted, of its packs."""
    from gamelake.layouts.load import layout_files

    assert settings is not None  # asked for as `needed`
    for pack in project_packs(settings) if packs else []:
        if pack.layouts is not None:
            yield from ((file, pack.name) for file in layout_files(pack.layouts))
    own = settings.root / "layouts"
    for folder in sorted(own.iterdir()) if own.is_dir() else []:
        if folder.is_dir():
            yield from ((file, folder.name) for file in layout_files(folder))


def _given(files: list[Path], settings: Settings | None) -> Iterator[tuple[Path, str]]:
    """The named files, and those of named folders; the pack is the folder above the layer's."""
    from gamelake.layouts.load import layout_files

    packs = {file.resolve(): pack for file, pack in _own(settings)} if settings else {}
    for path in files:
        if not path.exists():
            problem = f"there is no file or folder `{path}`"
            raise NotFoundError(problem)
        for file in layout_files(path) if path.is_dir() else [path]:
            parent = file.resolve().parent.parent.name
            yield file, packs.get(file.resolve(), parent if parent.isidentifier() else "ours")


def _others(settings: Settings | None, wanted: set[Path]) -> dict[str, Output]:
    """Outputs of a project's sources, steps and layouts that are not looked at themselves."""
    if settings is None:
        return {}
    from gamelake.layouts.check import check_files

    names = {file.resolve() for file in wanted}
    found: dict[str, Output] = {}
    for pack in project_packs(settings):
        if pack.steps is not None:
            found |= {str(output.dataset): output for step in pack.steps(settings) for output in step.outputs}
    rest = [(file, pack) for file, pack in _own(settings) if file.resolve() not in names]
    if rest:
        found |= {str(o.dataset): o for step in check_files(rest, {}).steps for o in step.outputs}
    return found


def _expanded(files: list[Path]) -> Iterator[Path]:
    for path in files:
        if not path.exists():
            problem = f"there is no file or folder `{path}`"
            raise NotFoundError(problem)
        yield from sorted(path.rglob("*.json")) if path.is_dir() else [path]


def _in_the_way(made: list[Imported], folder: Path, *, force: bool) -> Iterator[LayoutError]:
    from gamelake.errors import Place

    seen: dict[str, str] = {}
    for layout in made:
        path = folder / layout.path
        if path.exists() and not force:
            problem = f"`{path}` is there already"
            yield LayoutError(problem, Place(layout.source), "give `--force`, or another `--out`")
        if layout.path in seen:
            problem = f"`{layout.path}` is made of this file and of {seen[layout.path]}"
            yield LayoutError(problem, Place(layout.source), "import them into two folders")
        seen[layout.path] = layout.source
