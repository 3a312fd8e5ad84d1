"""`gamelake doctor`."""

from __future__ import annotations

import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake import __version__
from gamelake.connections import PostgresConnection
from gamelake.errors import GamelakeError, OperatorError
from gamelake.packs import broken_packs, load_packs
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, state
from gamelake.present.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.pipeline.targets import Targets
    from gamelake.settings import Settings

LEAST_FREE = 2_000_000_000  # bytes; below this a build of a large log may not finish
SHOWN = ("duckdb", "pyiceberg", "pyarrow", "numba", "sqlglot", "fastapi")
# What an optional tool is for; absent is no fault.
OPTIONAL = {"chromium": "browser tests", "zstd": "packing logs by hand"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, `warn` (works, look at it) or `failed` (does not work), and what to do."""

    area: str
    name: str
    state: str
    detail: str
    advice: str = ""


def doctor(
    project: ProjectOption = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Also list every setting, its value and its default.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether this machine and project are well, and what to do.

    Exit code 1 when something does not work. Changes nothing.
    """
    loaded, findings = project_findings(project)
    found = [*machine(), *packages(), *packs(), *findings]
    well = all(finding.state != "failed" for finding in found)
    if as_json:
        chosen = setting_values(loaded) if settings else None
        print_json(
            {"gamelake": __version__, "well": well, "findings": [asdict(finding) for finding in found]}
            | ({"settings": chosen} if chosen is not None else {})
        )
    else:
        show(found)
        if settings:
            rows = [
                (each["name"], each["value"], each["default"], each["help"])
                for each in setting_values(loaded)
            ]
            print_table(
                [Col("setting", style="name"), Col("value"), Col("default"), Col("what", wrap=True)], rows
            )
    raise typer.Exit(0 if well else 1)


def show(found: list[Finding]) -> None:
    """Findings as a table, then what to do."""
    print_table(
        [Col("area", style="quiet"), Col("state"), Col("what"), Col("found", wrap=True)],
        [(finding.area, state(finding.state), finding.name, finding.detail) for finding in found],
    )
    advice = [finding for finding in found if finding.advice]
    if advice:
        print_table(
            [Col("what", style="name"), Col("to do", wrap=True)],
            [(finding.name, finding.advice) for finding in advice],
        )


def machine() -> Iterator[Finding]:
    """Python, platform, optional programs."""
    yield Finding(
        "machine", "python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}"
    )
    for program, use in OPTIONAL.items():
        found = shutil.which(program)
        yield Finding(
            "machine", program, "ok" if found else "warn", found or f"not installed; only for {use}"
        )
    yield java()


def java() -> Finding:
    """The Java that Spark would use."""
    from gamelake.engines.spark_start import JAVA_HINT, LEAST_JAVA, java_version

    found = java_version()
    if found is None:
        return Finding("machine", "java", "warn", "not installed; only for engine `spark`", "")
    if found < LEAST_JAVA:
        return Finding(
            "machine", "java", "warn", f"version {found}; engine `spark` needs {LEAST_JAVA}", JAVA_HINT
        )
    return Finding("machine", "java", "ok", f"version {found}")


def packages() -> Iterator[Finding]:
    """Our version, those of the libraries that matter, and which extras are complete."""
    yield Finding("package", "gamelake", "ok", __version__)
    for name in SHOWN:
        try:
            yield Finding("package", name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding("package", name, "failed", "not installed", "install gamelake again")
    for extra, modules in extras().items():
        missing = [module for module in modules if find_spec(module) is None]
        detail = f"not installed: {', '.join(missing)}" if missing else "installed"
        yield Finding("extra", extra, "warn" if missing else "ok", detail)


def extras() -> dict[str, list[str]]:
    """Extras of the installed gamelake, and the packages each needs."""
    found: dict[str, list[str]] = {}
    for line in requires("gamelake") or []:
        requirement, _, marker = line.partition(";")
        if "extra ==" in marker:
            extra = marker.split("extra ==")[1].strip().strip("'\"")
            name = requirement.split("[")[0].split("<")[0].split(">")[0].split("=")[0].split("!")[0].strip()
            found.setdefault(extra, []).append(name.replace("-", "_"))
    return found


def packs() -> Iterator[Finding]:
    """Installed packs, and whether what they compile is compiled."""
    from gamelake import jit

    for name, pack in load_packs().items():
        yield Finding("pack", name, "ok", pack.title)
    for name, error in broken_packs().items():
        yield Finding(
            "pack", name, "failed", f"{type(error).__name__}: {error}", "reinstall or remove the package"
        )
    if any(pack.warm for pack in load_packs().values()):
        warm = jit.is_warm()
        yield Finding(
            "pack",
            "kernels",
            "ok" if warm else "warn",
            "compiled" if warm else "not compiled yet; the first use takes a minute longer",
            "" if warm else "gamelake warm",
        )


def project_findings(start: Path | None) -> tuple[Settings | None, list[Finding]]:
    """Settings of the project, if there is one, and what is to be said about it."""
    from gamelake.settings import Settings, find_project

    try:
        root = find_project(start or Path.cwd())
    except GamelakeError as error:
        asked = start is not None
        advice = error.hint or "" if asked else ""
        return None, [Finding("project", "folder", "failed" if asked else "warn", error.problem, advice)]
    try:
        settings = Settings.load(root)
    except GamelakeError as error:
        return None, [
            Finding("project", "settings", "failed", str(error).partition("\n")[0], error.hint or "")
        ]
    return settings, [
        Finding("project", "folder", "ok", str(root)),
        *stores(settings),
        *remotes(settings),
        disk(root),
    ]


def stores(settings: Settings) -> Iterator[Finding]:
    """Whether the ledger opens and the lake answers; opens only what exists."""
    if not settings.ledger_file.exists():
        yield Finding("store", "ledger", "ok", "empty: nothing was built yet")
        return
    for name, look in (("ledger", ledger_words), ("lake", lake_words)):
        try:
            yield Finding("store", name, "ok", look(settings))
        except GamelakeError as error:
            yield Finding("store", name, "failed", error.problem, error.hint or "")
        except Exception as error:  # whatever a broken store throws is the finding
            yield Finding(
                "store", name, "failed", f"{type(error).__name__}: {error}", "restore it from a copy"
            )


def remotes(settings: Settings) -> Iterator[Finding]:
    """Whether each connection of the profile answers, and what its breaker says."""
    from gamelake.clock import SystemClock
    from gamelake.pipeline.targets import Targets

    targets = Targets(settings, SystemClock())
    for name in settings.connections:
        what = f"{settings.profile}: {name}"
        try:
            words = _answer(targets, name)
        except GamelakeError as error:
            yield Finding("connection", what, "failed", error.problem, error.hint or "")
            continue
        remote = targets.remote(name)
        breaker, failures = remote.state.value, remote.health.failures
        if not failures:
            yield Finding("connection", what, "ok", words)
            continue
        detail = f"{words}; breaker {breaker} after {formats.plural(failures, 'failure')} in a row"
        yield Finding("connection", what, "warn", detail, "it answers now; the next run closes the breaker")


def _answer(targets: Targets, name: str) -> str:
    """What a connection says when it is asked; raises when it does not."""
    connection = targets.connection(name)
    if isinstance(connection, PostgresConnection):
        from gamelake.stores.postgres_link import ping

        return f"Postgres {ping(connection)}, {connection.where}"
    folder = targets.folder(name)
    there = folder.children(folder.root)
    if there is None:
        problem = f"`{folder.where}` is not there"
        raise OperatorError(problem, hint="mend `root` of the connection, or make the folder")
    return f"{formats.plural(len(there), 'entry', 'entries')} in {folder.where}"


def ledger_words(settings: Settings) -> str:
    """What the ledger holds, in a few words."""
    from gamelake.clock import SystemClock, SystemIds
    from gamelake.ledger.ledger import Ledger

    with Ledger.open(settings.ledger_file, clock=SystemClock(), ids=SystemIds()) as ledger:
        return f"{formats.plural(len(ledger.datasets()), 'dataset')}, {formats.plural(ledger.last_event(), 'event')}"


def lake_words(settings: Settings) -> str:
    """What the lake holds, in a few words."""
    folder = settings.lake_folder
    if not folder.exists():
        return "empty: nothing was built yet"
    from gamelake.packs import open_project

    with open_project(settings.root) as project:
        tables = [name for name in project.ledger.datasets() if project.lake.files(name)]
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return f"{formats.plural(len(tables), 'table')}, {formats.size(size)}"


def disk(root: Path) -> Finding:
    """Room left where the project lives."""
    free = shutil.disk_usage(root).free
    enough = free > LEAST_FREE
    advice = "" if enough else "gamelake maintenance orphans, or a larger disk"
    return Finding("project", "disk", "ok" if enough else "warn", f"{formats.size(free)} free", advice)


def setting_values(settings: Settings | None) -> list[dict[str, Any]]:
    """Every setting with its value here, its default and its help."""
    from gamelake.settings import describe

    return [
        {
            "name": name,
            "value": getattr(settings, name) if settings else default,
            "default": default,
            "help": text,
        }
        for name, default, text in describe()
    ]
