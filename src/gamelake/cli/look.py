"""`gamelake check`, `lineage`, `render` and `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import Col, data, print_json, print_table, say, state
from gamelake.present.options import JsonOption, ProjectOption, VarOption, VarsOption, parse_slice

if TYPE_CHECKING:
    from datetime import datetime

    from gamelake.layouts.lineage import Origin
    from gamelake.ledger.rows import CheckRow
    from gamelake.model.slices import Slice
    from gamelake.pipeline.lineage import ColumnEdge, Edge

HISTORY_MARKS = 30  # results of a check that fit into a line

DatasetArgument = Annotated[str, typer.Argument(help="Dataset, such as pack.gold.name.")]
StepArgument = Annotated[str, typer.Argument(metavar="STEP", help="Step, or a dataset it writes.")]
OneSlice = Annotated[
    str | None,
    typer.Option("--slice", metavar="SLICE", help="Slice; by default the newest.", show_default=False),
]


def check(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset.", show_default=False)] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only checks that did not pass.")] = False,
    run: Annotated[str | None, typer.Option("--run", help="Only this run.", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Newest results to look at.")] = 200,
    history: Annotated[
        bool, typer.Option("--history", help="One line for each check, with its results over time.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the checks found before each publish, newest first.

    Exit code 1 when a blocking check among them did not pass; with `--history`, when one did not at last.
    """
    with open_project(project) as opened:
        if dataset is not None:
            opened.graph.output(dataset)
        found = opened.ledger.checks(dataset, run, limit)
        now = opened.clock.now()
    shown = [row for row in found if not (failed and row.passed)]
    if history:
        show_history(histories(shown), now, as_json=as_json)
        return
    if as_json:
        print_json({"checks": [check_json(row) for row in shown]})
    elif shown:
        columns = [
            Col("result", form=state),
            Col("dataset", style="name"),
            Col("slice", wrap=True),
            Col("check", wrap=True),
        ]
        print_table(
            [*columns, Col("value", right=True), Col("passes when", spare=True)],
            [
                (outcome(row), row.dataset, str(row.slice), row.name, row.value, row.threshold)
                for row in shown
            ],
        )
    else:
        say("no check failed" if failed and found else "no check has run yet")
    if any(outcome(row) == "failed" for row in shown):
        raise typer.Exit(1)


def histories(found: list[CheckRow]) -> list[list[CheckRow]]:
    """Results of each check of each dataset, newest first; checks in trouble stand first."""
    groups: dict[tuple[str, str], list[CheckRow]] = {}
    for row in found:
        groups.setdefault((row.dataset, row.name), []).append(row)
    worst = {"failed": 0, "warn": 1, "passed": 2}
    return [groups[key] for key in sorted(groups, key=lambda key: (worst[outcome(groups[key][0])], key))]


def show_history(found: list[list[CheckRow]], now: datetime, *, as_json: bool) -> None:
    """One line for each check: its last results from old to new, and when it did not pass last."""
    if as_json:
        print_json({"history": [history_json(rows) for rows in found]})
    elif found:
        columns = [
            Col("now", form=state),
            Col("dataset", style="name"),
            Col("check", wrap=True),
            Col("over time"),
            Col("last value", right=True, spare=True),
            Col("passes when", spare=True),
            Col("last trouble", wrap=True),
        ]
        print_table(columns, [history_row(rows, now) for rows in found])
    else:
        say("no check has run yet")
    if any(outcome(rows[0]) == "failed" for rows in found):
        raise typer.Exit(1)


def history_row(rows: list[CheckRow], now: datetime) -> tuple[Any, ...]:
    """One check as a line of the table."""
    marks = {"passed": "✓", "warn": "!", "failed": "✗"}
    strip = "".join(marks[outcome(row)] for row in reversed(rows[:HISTORY_MARKS]))
    trouble = last_trouble(rows)
    told = f"{trouble.slice}: {trouble.value:g}, {formats.ago(trouble.checked_at, now)}" if trouble else ""
    newest = rows[0]
    return outcome(newest), newest.dataset, newest.name, strip, newest.value, newest.threshold, told


def history_json(rows: list[CheckRow]) -> dict[str, Any]:
    """One check over time, as `--json` prints it: results from new to old."""
    trouble = last_trouble(rows)
    keys = ("slice", "passed", "value", "threshold", "run", "checked_at")
    return {
        "dataset": rows[0].dataset,
        "check": rows[0].name,
        "kind": rows[0].kind.value,
        "severity": rows[0].severity.value,
        "now": outcome(rows[0]),
        "last_trouble": check_json(trouble) if trouble else None,
        "results": [{key: check_json(row)[key] for key in keys} for row in rows],
    }


def last_trouble(rows: list[CheckRow]) -> CheckRow | None:
    """The newest result that did not pass."""
    return next((row for row in rows if not row.passed), None)


def outcome(row: CheckRow) -> str:
    """`passed`, `warn` or `failed`."""
    if row.passed:
        return "passed"
    return "failed" if row.severity.value == "error" else "warn"


def check_json(row: CheckRow) -> dict[str, Any]:
    """One result, as `--json` prints it."""
    return {
        "dataset": row.dataset,
        "slice": str(row.slice),
        "check": row.name,
        "kind": row.kind.value,
        "severity": row.severity.value,
        "passed": row.passed,
        "value": row.value,
        "threshold": row.threshold,
        "sample": list(row.sample),
        "step": row.step,
        "run": row.run_id,
        "checked_at": row.checked_at,
    }


def lineage(
    dataset: DatasetArgument,
    column: Annotated[
        str | None, typer.Option("--column", help="Trace one column back to its sources.", show_default=False)
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a dataset is made from, and what is made from it."""
    from gamelake.pipeline.lineage import column_history, column_origins
    from gamelake.pipeline.lineage import lineage as trace

    with open_project(project) as opened:
        if column is not None:
            show_column(
                dataset,
                column,
                column_origins(opened, dataset, column),
                column_history(opened, dataset, column),
                as_json=as_json,
            )
            return
        found = trace(opened, dataset)
    if as_json:
        print_json(found.to_json())
        return
    data().print(f"{dataset}", style="bold", markup=False)
    for title, edges, up in (("made from", found.upstream, True), ("read by", found.downstream, False)):
        data().print(f"  {title}" if edges else f"  {title} nothing", style="quiet")
        for line in branches(dataset, edges, up=up, depth=2):
            data().print(line, markup=False, soft_wrap=True)


def show_column(
    dataset: str, column: str, origins: list[Origin], history: list[ColumnEdge], *, as_json: bool
) -> None:
    """What a column is computed from: one step up, and all the way to the sources."""
    if as_json:
        steps = [edge.to_json() for edge in history]
        listed = [{"dataset": origin.dataset, "column": origin.column} for origin in origins]
        print_json({"dataset": dataset, "column": column, "from": listed, "steps": steps})
        return
    columns = [Col("dataset", style="name"), Col("column"), Col("read in", wrap=True), Col("for", wrap=True)]
    rows = [
        (
            edge.origin.dataset,
            edge.origin.column,
            f"{edge.origin.file}:{edge.origin.line}" if edge.origin.file else "the fold of its slices",
            f"{edge.dataset}.{edge.column}",
        )
        for edge in history
    ]
    print_table(columns, rows or [("", "made of constants, or not to be traced", "", "")])


def branches(dataset: str, edges: tuple[Edge, ...], *, up: bool, depth: int) -> list[str]:
    """Datasets next to this one, each with its own below it."""
    lines = []
    for edge in edges:
        near, far = (edge.reader, edge.dataset) if up else (edge.dataset, edge.reader)
        if near == dataset:
            lines.append(f"{'  ' * depth}{far}")
            lines += branches(far, edges, up=up, depth=depth + 1)
    return lines


def render(
    target: StepArgument,
    slice_text: OneSlice = None,
    listed: VarsOption = None,
    single: VarOption = None,
    project: ProjectOption = None,
) -> None:
    """Print the SQL of a step as the engine gets it, every variable bound."""
    from gamelake.layouts.variables import parse_variables
    from gamelake.pipeline.render import render as render_sql

    given = parse_variables(listed, single)
    with open_project(project) as opened:
        print_text(render_sql(opened, target, wanted(slice_text), given))


def explain(
    target: StepArgument,
    slice_text: OneSlice = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run the query, and add times and rows.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Print the engine's plan for a step."""
    from gamelake.pipeline.render import explain as explain_sql

    with open_project(project) as opened:
        print_text(explain_sql(opened, target, wanted(slice_text), analyze=analyze))


def wanted(text: str | None) -> Slice | None:
    """The slice a person named, if any."""
    return None if text is None else parse_slice(text)


def print_text(text: str) -> None:
    """Text on stdout as it is."""
    typer.echo(text.rstrip("\n"))
