"""`gamelake raid`: combat logs in, raid reports out."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.errors import UserError
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, progress, say
from gamelake.present.options import JsonOption, ProjectOption, group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.games.wow.report import RaidReport
    from gamelake.pipeline.project import Project

    Row = dict[str, Any]

app = group("Import combat logs, read raid reports.")
TeamOption = Annotated[str, typer.Option("--team", help="Label for guilds with two groups on one night.")]
YearOption = Annotated[
    int | None,
    typer.Option(
        "--year", help="Year of the first line, for logs that name none (by default from the file's time)."
    ),
]
NamesOption = Annotated[
    bool, typer.Option("--pseudonyms", help="Invented names instead of the players' own.")
]

MOST_PLAYERS = 10


@app.command("import")
def import_command(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG…", help="WoWCombatLog.txt, plain, .gz or .zst.")],
    team: TeamOption = "",
    year: YearOption = None,
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Also refine the lines into silver and gold.")
    ] = True,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read logs into the project; a log that has grown is read on where it stopped.

    Importing the same log again, or parts of it in any order, changes no number.
    """
    from gamelake.games.wow.bronze import import_logs
    from gamelake.packs import open_project

    _check_team(team)
    with open_project(project) as opened:
        with _meter(quiet=as_json) as tell:
            done = import_logs(opened, logs, team=team, year=year, progress=tell)
        result = _refine(opened, quiet=as_json) if run else None
    if as_json:
        shown = [{**vars(one), "nights": list(one.nights)} for one in done]
        print_json({"logs": shown, "run": result.to_json() if result else None})
    else:
        columns = [
            Col("file", style="name"), Col("state"), Col("lines", form=formats.count, right=True), Col("nights", wrap=True),
        ]  # fmt: skip
        print_table(columns, [(one.file, one.state, one.lines, _nights(one.nights)) for one in done])
        for one in done:
            _warn(one.file, one.pending, cut=one.cut)
    if result is not None and result.error:
        raise result.error


@app.command("report")
def report_command(
    what: Annotated[
        list[str], typer.Argument(metavar="LOG…|RAID", help="Log files, or a raid of the project.")
    ],
    pseudonyms: NamesOption = False,
    every: Annotated[bool, typer.Option("--all", help="Every player of each pull.")] = False,
    zone: Annotated[str, typer.Option("--zone", help="Zone of timestamps that state no offset.")] = "UTC",
    year: YearOption = None,
    team: TeamOption = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report on log files without a project, or on a raid of the project (`raid list` names them)."""
    _check_team(team)
    if all(_is_path(word) for word in what):
        _check_zone(zone)
        with _standalone(
            [Path(word) for word in what], zone, year, team, pseudonyms=pseudonyms, quiet=as_json
        ) as report:
            _print(report, None, every=every, as_json=as_json)
        return
    if len(what) > 1:
        raise UserError(f"`{what[0]}` is no file", hint="give log files, or one raid of the project")
    with _of_project(project, pseudonyms=pseudonyms) as report:
        report.night(what[0])  # says so when there is no such raid
        _print(report, what[0], every=every, as_json=as_json)


@app.command("list")
def list_command(
    pseudonyms: NamesOption = False, project: ProjectOption = None, as_json: JsonOption = False
) -> None:
    """Raids of the project, latest first."""
    with _of_project(project, pseudonyms=pseudonyms) as report:
        raids = report.raids()
    if as_json:
        print_json({"raids": raids})
        return
    columns = [
        Col("raid", style="name"), Col("difficulty"), Col("pulls", form=formats.count, right=True),
        Col("bosses", form=formats.count, right=True), Col("killed", form=formats.count, right=True),
        Col("deaths", form=formats.count, right=True), Col("in fights", form=_clock, right=True),
    ]  # fmt: skip
    rows = [
        (
            r["raid_id"],
            r["difficulty"],
            r["pulls"],
            r["bosses"],
            r["bosses_killed"],
            r["deaths"],
            r["fight_ms"],
        )
        for r in raids
    ]
    print_table(columns, rows)
    if not raids:
        say("no raid yet: `gamelake raid import WoWCombatLog.txt`")


def _is_path(word: str) -> bool:
    """A file, or something that can only be meant as one (a raid's id has neither a slash nor an ending)."""
    return Path(word).exists() or os.sep in word or Path(word).suffix in {".txt", ".log", ".gz", ".zst"}


def _check_team(team: str) -> None:
    if team and not all(letter.isalnum() or letter in "-_" for letter in team):
        raise UserError(f"`--team {team}` is not a label", hint="use letters, digits, `-` and `_`")


def _check_zone(zone: str) -> None:
    from zoneinfo import ZoneInfo, available_timezones

    from gamelake.errors import did_you_mean

    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(zone, available_timezones()) or "write it as `Europe/Berlin`"
        raise UserError(f"unknown time zone `{zone}`", hint=hint) from None


@contextmanager
def _standalone(
    paths: list[Path], zone: str, year: int | None, team: str, *, pseudonyms: bool, quiet: bool
) -> Iterator[RaidReport]:
    from gamelake import jit

    if not jit.is_warm() and not quiet:
        say("compiling the log reader, once for this machine (about 15 s) …", style="quiet")
    from gamelake.games.wow.report import RaidReport
    from gamelake.games.wow.standalone import open_logs

    with (
        _meter(quiet=quiet) as tell,
        open_logs(paths, zone=zone, year=year, team=team, progress=tell) as (data, files),
    ):
        if not quiet:
            for file in files:
                _warn(file.path.name, file.pending, cut=file.cut)
        yield RaidReport(data, pseudonyms=pseudonyms)


@contextmanager
def _of_project(project: Path | None, *, pseudonyms: bool) -> Iterator[RaidReport]:
    from gamelake.games.wow.report import RaidReport
    from gamelake.packs import open_project

    with open_project(project) as opened, opened.connect() as connection:
        yield RaidReport(connection, pseudonyms=pseudonyms)


@contextmanager
def _meter(*, quiet: bool) -> Iterator[Any]:
    with progress("reading", unit="bytes", quiet=quiet) as meter:
        yield lambda name, done, size: meter(done, size or None, name) if size else None


def _refine(opened: Project, *, quiet: bool) -> Any:
    from gamelake.jobs.local import run_now
    from gamelake.pipeline.execute import RunRequest
    from gamelake.present.progress import steps_progress

    with steps_progress(quiet=quiet) as listener:
        return run_now(opened, RunRequest(("wow",)), listener=listener)


def _warn(file: str, pending: int, *, cut: bool) -> None:
    if cut:
        say(f"! {file}: the compressed file ends early; the lines before that are in", style="warn")
    if pending:
        say(f"! {file}: the last line is not finished ({pending} bytes) and does not count yet", style="warn")


def _nights(nights: tuple[str, ...]) -> str:
    return ", ".join(nights) if len(nights) <= 3 else f"{nights[0]} … {nights[-1]} ({len(nights)})"


def _clock(millis: int | None) -> str:
    """`7:28` of milliseconds."""
    if millis is None:
        return ""
    minutes, seconds = divmod(int(millis) // 1000, 60)
    return f"{minutes}:{seconds:02d}"


def _print(report: RaidReport, raid: str | None, *, every: bool, as_json: bool) -> None:
    summary = report.summary(raid)
    if as_json:
        print_json(summary)
        return
    log = summary["log"]
    if not summary["encounters"]:
        say("no encounter in this log: nothing between ENCOUNTER_START and ENCOUNTER_END", style="warn")
    else:
        _print_fights(summary["encounters"])
        for fight in summary["encounters"]:
            _print_fight(fight, MOST_PLAYERS if not every else None)
    say(
        f"{formats.count(log['total'])} lines ({log['dialect']}) = {formats.count(log['events'])} events"
        f" + {formats.count(log['context'])} context + {formats.count(log['ignored'])} ignored"
        f" + {formats.count(log['quarantined'])} quarantined"
    )


def _print_fights(fights: list[Row]) -> None:
    columns = [
        Col("#", right=True), Col("boss", style="name", wrap=True), Col("pull", right=True), Col("outcome"),
        Col("boss left", right=True), Col("time", form=_clock, right=True), Col("players", right=True),
        Col("deaths", right=True), Col("conservation", right=True),
    ]  # fmt: skip
    rows = [
        (
            number, fight["name"], fight["pull_no"], "✓ kill" if fight["success"] else "✗ wipe",
            "" if fight["success"] else _percent(fight["boss_hp_pct"]), fight["duration_ms"], len(fight["players"]),
            len(fight["deaths"]), _error(fight["conservation_error"]),
        )
        for number, fight in enumerate(fights, 1)
    ]  # fmt: skip
    print_table(columns, rows, title="Fights")


def _print_fight(fight: Row, most: int | None) -> None:
    seconds = max(fight["duration_ms"] / 1000, 0.001)
    outcome = "kill" if fight["success"] else "wipe"
    title = f"\n{fight['name']} · pull {fight['pull_no']} · {outcome} in {_clock(fight['duration_ms'])}"
    columns = [
        Col("player", style="name"), Col("class"), Col("role"), Col("dps", form=formats.number, right=True),
        Col("damage", form=formats.number, right=True), Col("hps", form=formats.number, right=True),
        Col("healing", form=formats.number, right=True), Col("absorbs", form=formats.number, right=True),
        Col("taken", form=formats.number, right=True), Col("deaths", right=True), Col("casts", right=True),
    ]  # fmt: skip
    shown = fight["players"][:most]
    rows = [
        (
            p["name"] or p["guid"], p["class"], p["role"], p["damage"] / seconds, p["damage"],
            p["healing"] / seconds, p["healing"], p["absorbs"], p["damage_taken"], p["deaths"] or "", p["casts"],
        )
        for p in shown
    ]  # fmt: skip
    print_table(columns, rows, title=title)
    hidden = len(fight["players"]) - len(shown)
    if hidden:
        say(f"… and {hidden} more (--all shows them)", style="quiet")
    for death in fight["deaths"]:
        say(f"  † {_clock(death['at_ms'])} {death['name'] or death['guid']} {_blow(death['killing_blow'])}")


def _blow(blow: Row | None) -> str:
    if blow is None:
        return "(no killing blow in the log)"
    by = f" by {blow['source']}" if blow["source"] else ""
    return f"— {blow['spell']}{by}, {formats.number(blow['amount'])} ({formats.number(blow['overkill'])} overkill)"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} %"


def _error(value: float | None) -> str:
    return "–" if value is None else "exact" if value == 0 else f"{100 * value:+.4f} %"
