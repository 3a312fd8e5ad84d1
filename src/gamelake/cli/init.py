"""`gamelake init`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gamelake.errors import ConflictError, UserError
from gamelake.packs import load_packs, pack_named
from gamelake.present.console import say

if TYPE_CHECKING:
    from gamelake.packs import Pack

FILE = """\
name = "{name}"
packs = [{packs}]
zone = "{zone}"    # decides which day an event belongs to

# Every other setting and its default: `gamelake doctor --settings`, or docs/reference/settings.md
"""
IGNORE = "# data, ledger and cache of this project: rebuilt from its sources, too large for git\n.gamelake/\n"
# Quotes would end the TOML text, control characters are not allowed in it.
SAFE = re.compile(r'[^"\\\x00-\x1f\x7f]+\Z')


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to make; may exist when it holds no project.")
    ],
    pack: Annotated[
        list[str] | None,
        typer.Option("--pack", help="Pack to use; repeatable. By default the only one installed."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Shown in titles; by default the folder's name.")] = "",
    zone: Annotated[
        str, typer.Option("--zone", help="Time zone, such as Europe/Berlin; by default the pack's, or UTC.")
    ] = "",
) -> None:
    """Create a project folder.

    Writes `gamelake.toml` and what the packs bring for a start. Data goes to `.gamelake/` below the folder.
    """
    chosen = [pack_named(each) for each in pack or default_packs()]
    name = name or folder.resolve().name
    zone = zone or next((each.zone for each in chosen if each.zone), "UTC")
    for word, option in ((name, "--name"), (zone, "--zone")):
        if not SAFE.match(word):
            raise UserError(
                f"`{word}` holds a quote, a backslash or a control character", hint=f"choose another {option}"
            )
    if (folder / "gamelake.toml").exists():
        raise ConflictError(f"{folder} is a project already", hint=f"`gamelake status -C {folder}` shows it")
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file", hint="name a folder that does not exist yet")
    check_zone(zone)
    folder.mkdir(parents=True, exist_ok=True)
    for each in chosen:
        copy_project_files(each, folder)
    packs = ", ".join(f'"{each.name}"' for each in chosen)
    keep(folder / ".gitignore", IGNORE)
    own = "".join(f"\n{each.project_settings}" for each in chosen)
    keep(folder / "gamelake.toml", FILE.format(name=name, packs=packs, zone=zone) + own)
    say(f"made the project `{name}` in {folder}")
    say(f"next: cd {folder} && gamelake --help")


def default_packs() -> list[str]:
    """The only installed pack; with none or several the person must choose."""
    packs = list(load_packs())
    if len(packs) != 1:
        raise UserError(
            f"which pack? installed: {', '.join(packs) or 'none'}",
            hint=f"gamelake init DIR --pack {packs[0] if packs else 'NAME'}",
        )
    return packs


def check_zone(zone: str) -> None:
    """UserError for a zone this machine does not know."""
    from zoneinfo import ZoneInfo, available_timezones

    from gamelake.errors import did_you_mean

    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(zone, available_timezones()) or "write a name such as Europe/Berlin"
        raise UserError(f"unknown time zone `{zone}`", hint=hint) from None


def copy_project_files(pack: Pack, folder: Path) -> None:
    """Copy what the pack brings for a new project, over nothing that is there."""
    for brought, place in ((pack.project_files, folder), (pack.seeds, folder / "seeds")):
        for source in sorted(brought.rglob("*")) if brought is not None else []:
            target = place / source.relative_to(brought or source)
            if not source.is_dir() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def keep(file: Path, text: str) -> None:
    """Write a file that is not there yet."""
    if not file.exists():
        file.write_text(text, encoding="utf-8")
