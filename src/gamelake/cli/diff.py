"""`gamelake diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamelake.cli.look import OneSlice, StepArgument, wanted
from gamelake.packs import open_project
from gamelake.present import formats
from gamelake.present.console import Col, print_json, print_table, say
from gamelake.present.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.pipeline.diff import Diff


def diff(
    target: StepArgument,
    slice_text: OneSlice = None,
    sample: Annotated[int, typer.Option("--sample", min=0, max=1_000, help="Rows to show of each kind.")] = 5,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a slice with the code as it is now beside the published one, and show what would change.

    Nothing is published. Rows are matched by the output's grain, without one as a whole. Exit code 0 when a run
    would publish the same rows, 1 when it would not, 2 for a mistake in the request.
    """
    from gamelake.pipeline.diff import diff as compare

    with open_project(project) as opened:
        found = compare(opened, target, wanted(slice_text), sample=sample)
    if as_json:
        print_json(found.to_json())
    else:
        rows = list(_rows(found))
        if rows:
            print_table([Col("change", style="name"), Col("row", wrap=True)], rows)
        say(words(found))
    raise typer.Exit(0 if found.is_same else 1)


def words(found: Diff) -> str:
    """The difference in a sentence."""
    about = f"{found.dataset} {found.slice}"
    if found.is_same:
        return f"{about}: the same {formats.plural(found.after, 'row')}"
    told = [f"{formats.count(n)} {word}" for n, word in _numbers(found) if n]
    by_column = ", ".join(f"{name} in {formats.count(n)}" for name, n in found.columns.items())
    lines = [f"{about}: {', '.join(told) or 'no row differs'} ({found.before:,} → {found.after:,} rows)"]
    if by_column:
        lines.append(f"changed by column: {by_column}")
    if found.new_columns:
        lines.append(f"new columns: {', '.join(found.new_columns)}")
    if found.gone_columns:
        lines.append(f"columns no longer declared: {', '.join(found.gone_columns)}")
    return "\n".join(lines)


def _numbers(found: Diff) -> list[tuple[int, str]]:
    return [(found.added, "added"), (found.removed, "removed"), (found.changed, "changed")]


def _rows(found: Diff) -> Iterator[tuple[str, str]]:
    for kind, mark in (("added", "+"), ("removed", "-")):
        for row in found.samples[kind]:
            yield f"{mark} {kind}", _pairs(row)
    for row in found.samples["changed"]:
        changes = {
            name: f"{_text(pair['was'])} → {_text(pair['is'])}"
            for name, pair in row.items()
            if name != "grain"
        }
        yield "~ changed", f"{_pairs(row['grain'])}: {_pairs(changes)}"


def _pairs(row: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in row.items())


def _text(value: Any) -> str:
    return "null" if value is None else str(value)
