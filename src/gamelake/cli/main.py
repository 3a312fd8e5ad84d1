"""The door: `gamelake` on the command line. One border where every error becomes a message and an exit code.

Nothing heavy may be imported here: `gamelake --help` is answered from the catalogue alone.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from gamelake import __version__
from gamelake.cli.catalogue import all_commands
from gamelake.errors import GamelakeError, OperatorError, Place, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130  # 128 + SIGINT, as shells say it
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code: 0 done, 1 our or the machine's failure, 2 the caller's mistake."""
    gc.set_threshold(50_000, 20, 50)  # imports and plans make many objects and hardly any garbage
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    if debug:
        given.remove("--debug")
    try:
        choose_profile(given)
    except GamelakeError as error:
        raise SystemExit(report(error, debug=debug)) from None
    raise SystemExit(call(given, debug=debug))


def choose_profile(given: list[str]) -> None:
    """Take `--profile NAME` out of the arguments, wherever it stands, into the environment.

    There the settings find it, and those of every process started from here.
    """
    for position, word in enumerate(given):
        if word == "--":
            return
        name, mark, value = word.partition("=")
        if name != "--profile":
            continue
        rest = given[position + 1 : position + 2]
        if not mark and not rest:
            raise UserError("`--profile` needs a name", hint="`gamelake --profile prod run`")
        os.environ["GAMELAKE_PROFILE"] = value if mark else rest[0]
        del given[position : position + (1 if mark else 2)]
        return


def call(arguments: list[str], *, debug: bool = False) -> int:
    """Run one command; the exit code."""
    try:
        if not arguments or arguments[0] in {"--help", "-h", "help"}:
            sys.stdout.write(root_help(color=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
            return 0
        if arguments[0] in {"--version", "-V"}:
            sys.stdout.write(f"gamelake {__version__}\n")
            return 0
        from gamelake.cli.tree import invoke

        return invoke(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except GamelakeError as error:
        return report(error, debug=debug)
    except OSError as error:
        place = Place(file=str(error.filename)) if error.filename else None
        problem = error.strerror or f"{type(error).__name__}: {error}"
        return report(OperatorError(problem, place), debug=debug)
    except Exception as error:
        return report(error, debug=debug)


def report(error: Exception, *, debug: bool) -> int:
    """Print an error in the one style; its exit code."""
    from gamelake.present.console import print_error

    print_error(error, debug=debug)
    return error.exit_code if isinstance(error, GamelakeError) else 1


def root_help(*, color: bool) -> str:
    """Commands grouped by what people want; plain text, so that no library has to load."""
    bold, name, end = ("\x1b[1m", "\x1b[36m", "\x1b[0m") if color else ("", "", "")
    commands = [command for command in all_commands() if not command.hidden]
    width = max(len(command.name) for command in commands)
    lines = [
        f"{bold}Usage:{end} gamelake COMMAND …",
        "",
        "The data platform a game team installs with one command: logs and telemetry in,",
        "checked tables, reports and pages out.",
    ]
    panel = ""
    for command in commands:
        if command.panel != panel:
            panel = command.panel
            lines += ["", f"{bold}{panel}{end}"]
        lines.append(f"  {name}{command.name.ljust(width)}{end}  {command.help}")
    lines += [
        "",
        f"{bold}Everywhere{end}",
        f"  {name}{'--help'.ljust(width)}{end}  Options and examples of a command.",
        f"  {name}{'--profile'.ljust(width)}{end}  Use the connections of that `[profiles.NAME]`.",
        f"  {name}{'--debug'.ljust(width)}{end}  Show the traceback of an error.",
        f"  {name}{'--version'.ljust(width)}{end}  Print the version.",
    ]
    return "\n".join(lines) + "\n"
