"""What a game contributes, and how the core finds it: the `Pack` record and its entry points."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gamelake.errors import NotFoundError, OperatorError, UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gamelake.clock import Clock, Ids
    from gamelake.model.steps import Source, SqlStep, Step
    from gamelake.pipeline.project import Project
    from gamelake.settings import Settings

ENTRY_POINTS = "gamelake.packs"


@dataclass(frozen=True)
class CommandLink:
    """One command (or group) of a pack, imported when somebody calls it."""

    target: str  # "module:attribute" of a typer app
    help: str  # the line `gamelake --help` shows
    panel: str = ""  # heading in `gamelake --help`; empty = the pack's title


@dataclass(frozen=True)
class PageLink:
    """One entry of the web app's menu."""

    title: str
    path: str
    panel: str = ""  # address of the page part shown on the home page; empty = none


_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Pack:
    """Everything a game adds to the core. Importing a pack's module must stay cheap.

    Targets are written "module:attribute" and imported on use.
    """

    name: str  # first part of the pack's dataset names
    title: str
    layouts: Path | None = None  # folder of SQL layouts
    layout_tests: Path | None = None  # folder of their tests, `*.yaml`
    steps: Callable[[Settings], Sequence[Step | Source]] | None = None  # Python steps, and sources
    values: Callable[[Settings], Mapping[str, str]] | None = (
        None  # of its layouts' variables, from the project
    )
    commands: Mapping[str, CommandLink] = field(default_factory=lambda: _NONE)
    simulators: Mapping[str, CommandLink] = field(default_factory=lambda: _NONE)  # below `gamelake simulate`
    routers: tuple[str, ...] = ()  # targets of FastAPI routers
    pages: tuple[PageLink, ...] = ()
    templates: Path | None = None
    static: Path | None = None
    project_files: Path | None = None  # copied into the folder by `gamelake init`
    seeds: Path | None = None  # folder of small tables, copied to the project's `seeds` for it to edit
    project_settings: str = ""  # TOML that `gamelake init` writes below the settings, such as a connection
    zone: str = ""  # time zone of a new project when nobody names one
    warm: tuple[str, ...] = ()  # targets of functions that prepare caches, such as compiled kernels


def load_target(target: str) -> Any:
    """Import what "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


@cache
def _installed() -> tuple[Mapping[str, Pack], Mapping[str, Exception]]:
    packs: dict[str, Pack] = {}
    broken: dict[str, Exception] = {}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            packs[entry.name] = entry.load()
        except Exception as error:  # a stranger's pack must not take every command with it
            broken[entry.name] = error
    return MappingProxyType(packs), MappingProxyType(broken)


def load_packs() -> Mapping[str, Pack]:
    """Every installed pack by name, in order of name; without those that fail to import."""
    return _installed()[0]


def broken_packs() -> Mapping[str, Exception]:
    """Installed packs that fail to import, and why."""
    return _installed()[1]


def pack_named(name: str) -> Pack:
    """The installed pack of that name; NotFoundError lists those there are."""
    packs = load_packs()
    if name in packs:
        return packs[name]
    if error := broken_packs().get(name):
        raise OperatorError(
            f"pack `{name}` is installed and fails to import: {type(error).__name__}: {error}",
            hint="`gamelake doctor` shows every pack",
        ) from error
    known = ", ".join(packs) or "none"
    hint = did_you_mean(name, packs) or "install the package that provides it, then try again"
    raise NotFoundError(f"no pack `{name}` is installed, there are: {known}", hint=hint)


def project_packs(settings: Settings) -> list[Pack]:
    """The packs a project names in its `gamelake.toml`, in that order; none is needed beside own layouts."""
    if not settings.packs and not (settings.root / "layouts").is_dir():
        raise UserError(
            "the project names no pack and has no `layouts` folder",
            hint=f'add `packs = ["{next(iter(load_packs()), "name")}"]` to gamelake.toml',
        )
    return [pack_named(name) for name in settings.packs]


def project_members(settings: Settings) -> list[Step | Source]:
    """Steps and sources of a project: those of its packs, then its own layouts.

    A project's own layouts stand in `layouts/<pack>/<layer>/<name>.sql`; the pack may be any name. One that writes
    what a pack's layout writes takes its place.
    """
    from gamelake.layouts.load import load_folder

    cache_folder = settings.cache_folder / "layouts"
    layouts: dict[str, SqlStep] = {}
    values: dict[str, Mapping[str, str]] = {}
    members: list[Step | Source] = []
    for pack in project_packs(settings):
        values[pack.name] = project_values(pack, settings)
        if pack.layouts is not None:
            layouts |= {s.name: s for s in load_folder(pack.layouts, pack.name, cache=cache_folder)}
        if pack.steps is not None:
            members += pack.steps(settings)
    own = settings.root / "layouts"
    for folder in sorted(own.iterdir()) if own.is_dir() else []:
        if folder.is_dir():
            layouts |= {s.name: s for s in load_folder(folder, folder.name, cache=cache_folder)}
    told = (_with_values(s, values.get(s.outputs[0].dataset.pack, {})) for s in layouts.values())
    return [*members, *told]


def project_values(pack: Pack, settings: Settings) -> dict[str, str]:
    """What a project says of the variables of a pack's layouts: its `[pack]` table, then what the pack finds there."""
    found = dict(pack.values(settings)) if pack.values is not None else {}
    plain = (str, int, date)
    told = {
        name: str(value) for name, value in settings.section(pack.name).items() if isinstance(value, plain)
    }
    return found | told


def _with_values(step: SqlStep, values: Mapping[str, str]) -> SqlStep:
    ours = {
        name: text for name, text in values.items() if name in step.variables and name not in step.bindings
    }
    return replace(step, defaults={**step.defaults, **ours}) if ours else step


def open_project(
    path: Path | None = None,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    source: Path | None = None,
) -> Project:
    """The project at or above the path (by default the current folder), with its packs; close it after use.

    `source` is the folder its pack reads from this time, see `reading_from`.
    """
    from gamelake.pipeline.project import Project
    from gamelake.settings import Settings, find_project

    settings = Settings.load(find_project(path or Path.cwd()))
    if source is not None:
        settings = reading_from(settings, source)
    return Project.open(settings, project_members(settings), clock=clock, ids=ids)


def reading_from(settings: Settings, source: Path) -> Settings:
    """The settings with another folder behind the connection that is called like its pack.

    What lies in the folder's `seeds` takes the place of the project's seeds of the same names.
    """
    import shutil

    names = [n for n in settings.packs if getattr(settings.connections.get(n), "kind", "") == "file"]
    if len(names) != 1:
        told = ", ".join(names) or "none"
        problem = f"`--source` is for one connection of the kind `file` that is called like its pack, there are: {told}"
        raise UserError(problem, hint="set `root` of the connection in gamelake.toml instead")
    if not source.is_dir():
        raise NotFoundError(
            f"there is no folder `{source}`", hint="name the folder that holds the source tables"
        )
    for seed in sorted((source / "seeds").glob("*")):
        if seed.is_file():
            (settings.root / "seeds").mkdir(exist_ok=True)
            shutil.copyfile(seed, settings.root / "seeds" / seed.name)
    connection = settings.connections[names[0]].model_copy(update={"root": str(source.resolve())})
    profiles = {**settings.profiles, settings.profile: {**settings.connections, names[0]: connection}}
    return settings.model_copy(update={"profiles": profiles})
