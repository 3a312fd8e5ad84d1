"""Options that read alike in every command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gamelake.model.slices import Slice

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-C",
        envvar="GAMELAKE_PROJECT",
        metavar="DIR",
        help="Project folder; by default the nearest one at or above the current folder.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TARGET]…", help="Steps or datasets; by default everything.", show_default=False),
]
SliceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--slice",
        metavar="COLUMN=VALUE",
        help="Only slices with these values; repeatable.",
        show_default=False,
    ),
]


VarsOption = Annotated[
    str | None,
    typer.Option(
        "--vars",
        metavar="NAME=VALUE,…",
        help="Variables of the layouts; one that is bound to a slice chooses the slice.",
        show_default=False,
    ),
]
VarOption = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        help="One variable, whose value may hold commas; repeatable.",
        show_default=False,
    ),
]


def group(help_text: str) -> typer.Typer:
    """An empty group of commands with our manners."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
    )


def parse_slice(text: str) -> Slice:
    """The slice a person wrote: `all`, or `column=value` joined by `/`."""
    from gamelake.model.slices import Slice

    return Slice.parse(text)


def parse_slices(texts: list[str] | None) -> tuple[Slice, ...] | None:
    """The slices of `--slice`; None when none was given."""
    return tuple(parse_slice(text) for text in texts) if texts else None


def parse_span(first: str, last: str) -> tuple[str, str]:
    """Both days as ISO text; UserError when one is none, or they come the wrong way round."""
    from datetime import date

    from gamelake.errors import UserError

    days: dict[str, Any] = {}
    for option, text in (("--from", first), ("--to", last)):
        if not text:
            problem = f"a span of days needs `{option}`"
            raise UserError(problem, hint="write both, `--from 2026-01-01 --to 2026-01-31`")
        try:
            days[option] = date.fromisoformat(text)
        except ValueError as err:
            problem = f"`{option} {text}` is not a day"
            raise UserError(problem, hint="write it as 2026-01-31") from err
    if days["--to"] < days["--from"]:
        problem = f"`--to {last}` comes before `--from {first}`"
        raise UserError(problem, hint="swap them")
    return days["--from"].isoformat(), days["--to"].isoformat()
