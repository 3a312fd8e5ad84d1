"""The tree of commands, each imported only when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from gamelake.cli.catalogue import all_commands
from gamelake.errors import UserError, did_you_mean
from gamelake.packs import load_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gamelake.cli.catalogue import Command

HELP = {"help_option_names": ["--help", "-h"]}


def invoke(arguments: list[str]) -> int:
    """Run one command line; the exit code. Wrong usage becomes a UserError like any other."""
    try:
        done = root().main(arguments, prog_name="gamelake", standalone_mode=False)
    except TyperException as error:
        if not error.format_message():  # a group called without a command has shown its help
            return 0
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "gamelake"
        hint = getattr(error, "hint", None) or f"`{path} --help` shows what it takes"
        raise UserError(error.format_message().rstrip("."), hint=hint) from error
    except typer.Abort:
        return 130
    return done if isinstance(done, int) else 0


def root() -> LazyGroup:
    """The group that holds every command of the core and of installed packs."""
    return LazyGroup({command.name: command for command in all_commands()}, name="gamelake")


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and imports one when it is asked for it."""

    def __init__(self, links: Mapping[str, Command], **rest: Any) -> None:
        super().__init__(**rest)
        self._links = links

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 -- typer's signature
        return list(self._links)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 -- typer's signature
        if cmd_name.startswith("-"):
            return None  # an option: typer says so itself
        if cmd_name not in self._links:
            hint = did_you_mean(cmd_name, self._links) or "`gamelake --help` lists the commands"
            raise UserError(f"no command `{cmd_name}`", hint=hint)
        return command_of(self._links[cmd_name])


def command_of(link: Command) -> Any:
    """Turn the function or app behind a link into a command of that name."""
    found: typer.Typer | type[TyperGroup] | Callable[..., Any] = load_target(link.target)
    made: Any
    if isinstance(found, typer.Typer):
        made = typer.main.get_command(found)
    elif isinstance(found, type):
        made = found(name=link.name)
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
        app.command(link.name)(found)
        made = typer.main.get_command(app)
    made.name = link.name
    made.context_settings = {**made.context_settings, **HELP}
    made.hidden = link.hidden
    return made
