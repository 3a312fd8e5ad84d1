"""`gamelake test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.errors import NotFoundError, UserError, did_you_mean
from gamelake.packs import project_members, project_packs
from gamelake.present import formats
from gamelake.present.console import Col, data, print_json, print_table, say
from gamelake.present.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from gamelake.layouts.cases import Case
    from gamelake.pipeline.case_rows import Difference
    from gamelake.pipeline.cases import Verdict
    from gamelake.settings import Settings

ENGINES = ("duckdb",)


def run_cases(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]…", help="Layouts, files or names of tests; by default all.", show_default=False
        ),
    ] = None,
    engine: Annotated[str, typer.Option("--engine", help="Engine that runs the SQL.")] = "duckdb",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the tests of layouts: rows in, rows expected out. Touches neither the lake nor the ledger.

    Tests stand in `tests/*.yaml` of the project; packs bring their own. Exit code 1 when one fails, 2 for a file
    that cannot be read.
    """
    from gamelake.clock import SystemClock
    from gamelake.pipeline.cases import CaseRunner
    from gamelake.pipeline.project import graph_of
    from gamelake.settings import Settings as Loaded
    from gamelake.settings import find_project

    if engine not in ENGINES:
        problem = f"unknown engine `{engine}`, expected one of: {', '.join(ENGINES)}"
        raise UserError(problem, hint=did_you_mean(engine, ENGINES))
    settings = Loaded.load(find_project(project or Path.cwd()))
    cases = chosen(all_cases(settings), names)
    graph = graph_of(settings, project_members(settings), SystemClock())
    with CaseRunner(graph, settings) as runner:
        runner.verify(cases)
        verdicts = [runner.run(case) for case in cases]
    show(verdicts, as_json=as_json)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


def all_cases(settings: Settings) -> list[Case]:
    """Tests of the project's packs, then its own; every mistake of every file at once."""
    from gamelake.layouts.cases import load_cases

    folders = [pack.layout_tests for pack in project_packs(settings) if pack.layout_tests is not None]
    files = [file for folder in (*folders, settings.root / "tests") for file in sorted(folder.glob("*.y*ml"))]
    return load_cases(files, settings.root)


def chosen(cases: list[Case], names: list[str] | None) -> list[Case]:
    """Tests that a name means: their own, their layout's or their file's."""
    if not names:
        return cases
    known = {word: None for case in cases for word in words(case)}
    for name in names:
        if name not in known:
            problem = f"no test is called `{name}`, and none is of a layout or in a file of that name"
            raise NotFoundError(problem, hint=did_you_mean(name, known))
    return [case for case in cases if not words(case).isdisjoint(names)]


def words(case: Case) -> set[str]:
    """What a test may be called by."""
    file = Path(case.file)
    return {case.name, case.layout, case.layout.rpartition(".")[2], case.file, file.name, file.stem}


def show(verdicts: list[Verdict], *, as_json: bool) -> None:
    """The outcome of each test, and the rows that differ."""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if as_json:
        counts = {"passed": len(verdicts) - len(failed), "failed": len(failed)}
        print_json({"engine": ENGINES[0], **counts, "tests": [verdict.to_json() for verdict in verdicts]})
        return
    if not verdicts:
        say("there are no tests: write some in `tests/*.yaml`")
        return
    for verdict in verdicts:
        mark = "[ok]✓[/]" if verdict.passed else "[bad]✗[/]"
        line = f"{mark} {verdict.case.layout}: {verdict.case.name}"
        data().print(line, soft_wrap=True)
        if not verdict.passed:
            data().print(f"  {verdict.case.place()}: {verdict.problem}", markup=False, soft_wrap=True)
            show_difference(verdict.difference)
    words_failed = f", {len(failed)} failed" if failed else ""
    say(f"{formats.plural(len(verdicts), 'test')}, {len(verdicts) - len(failed)} passed{words_failed}")


def show_difference(difference: Difference) -> None:
    """Rows that differ, as a table: of pairs every cell that differs with both values."""
    rows: list[tuple[Any, ...]] = []
    for expected, seen in difference.differing:
        changed = difference.changed(expected, seen)
        rows.append(("differs", *(cell(name, expected, seen, changed) for name in difference.columns)))
    rows += [("missing", *(row[name] for name in difference.columns)) for row in difference.missing]
    rows += [("not expected", *(row[name] for name in difference.columns)) for row in difference.extra]
    if rows:
        print_table([Col(""), *(Col(name) for name in difference.columns)], rows)


def cell(name: str, expected: dict[str, Any], seen: dict[str, Any], changed: list[str]) -> Any:
    """One cell of a pair."""
    if name not in changed:
        return seen[name]
    return f"{formats.cell(seen[name])}, expected {formats.cell(expected[name])}"
