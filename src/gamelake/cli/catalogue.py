"""Every command of the core: where it lives, what it is for, under which heading help shows it.

Plain data: `gamelake --help` reads this file and imports nothing else of weight.
"""

from __future__ import annotations

from dataclasses import dataclass

BUILD = "Build data"
LOOK = "Look at data"
OPERATE = "Operate"


@dataclass(frozen=True)
class Command:
    """One command, or group of commands, imported when somebody calls it."""

    name: str
    target: str  # "module:attribute" of a function, or of a typer app for a group
    panel: str
    help: str
    hidden: bool = False


COMMANDS = (
    Command("init", "gamelake.cli.init:init", BUILD, "Create a project folder."),
    Command("plan", "gamelake.cli.build:plan", BUILD, "Show what `run` would do, and why."),
    Command("run", "gamelake.cli.build:run", BUILD, "Build what is missing or stale, check it, publish it."),
    Command("backfill", "gamelake.cli.backfill:backfill", BUILD, "Build what a span of days lacks, in order."),
    Command("diff", "gamelake.cli.diff:diff", BUILD, "Show what changed code would change in a slice, without publishing."),
    Command("rollback", "gamelake.cli.build:rollback", BUILD, "Publish an earlier version of a slice again."),
    Command("layout", "gamelake.cli.layout:app", BUILD, "Check, format, import and export layouts; their JSON Schema."),
    Command("test", "gamelake.cli.cases:run_cases", BUILD, "Run the tests of layouts: rows in, rows expected out."),
    Command("simulate", "gamelake.cli.simulate:Simulators", BUILD, "Write made-up data that looks like a game's own."),
    Command("status", "gamelake.cli.status:status", LOOK, "Show datasets, how fresh they are, and the last runs."),
    Command("query", "gamelake.cli.query:query", LOOK, "Ask SQL over all datasets, as they are or as they were."),
    Command("check", "gamelake.cli.look:check", LOOK, "Show what the checks found before each publish."),
    Command("lineage", "gamelake.cli.look:lineage", LOOK, "Show what a dataset is made from, and what is made from it."),
    Command("render", "gamelake.cli.look:render", LOOK, "Print the SQL of a step as the engine gets it."),
    Command("explain", "gamelake.cli.look:explain", LOOK, "Print the engine's plan for a step."),
    Command("export", "gamelake.cli.export:app", OPERATE, "Write the files by which other tools run or read the project."),
    Command("serve", "gamelake.cli.serve:serve", OPERATE, "Serve the pages and the API of a project."),
    Command("jobs", "gamelake.cli.jobs:app", OPERATE, "List, show and cancel runs."),
    Command("maintenance", "gamelake.cli.maintenance:app", OPERATE, "Expire old snapshots, remove orphan files, compact small ones."),
    Command("doctor", "gamelake.cli.doctor:doctor", OPERATE, "Say whether this machine and project are well, and what to do."),
    Command("warm", "gamelake.cli.warm:warm", OPERATE, "Compile what packs compile once, so that the first use is fast."),
)  # fmt: skip


def all_commands() -> tuple[Command, ...]:
    """The core's commands and those of installed packs; panels of packs stand before `Operate`."""
    from gamelake.packs import load_packs

    from_packs = tuple(
        Command(name, link.target, link.panel or pack.title, link.help)
        for pack in load_packs().values()
        for name, link in pack.commands.items()
    )
    first = tuple(command for command in COMMANDS if command.panel != OPERATE)
    return (*first, *from_packs, *(command for command in COMMANDS if command.panel == OPERATE))
