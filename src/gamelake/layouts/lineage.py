"""Which input columns a column of the output is computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.layouts.template import render_sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gamelake.model.schema import Schema
    from gamelake.model.steps import SqlStep


def column_lineage(step: SqlStep, column: str, schemas: Mapping[str, Schema]) -> list[tuple[str, str]]:
    """(dataset, column) pairs behind one output column; empty when the column is made of constants.

    `schemas` holds the columns of each input by dataset name. Filters and joins are not counted.
    """
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    sql = render_sample(step)
    known = {
        view: {c.name: c.type.sql for c in schemas[str(dataset)].columns}
        for view, dataset in step.inputs.items()
        if str(dataset) in schemas
    }
    try:
        root = lineage(column, sql, schema=known, dialect="duckdb")
    except (SqlglotError, ValueError):
        return []  # sqlglot cannot resolve every query that DuckDB runs
    found = set()
    for node in root.walk():
        view = node.expression.name if node.expression.key == "table" else ""
        if view in step.inputs and not node.downstream:
            found.add((str(step.inputs[view]), node.name.rpartition(".")[2].strip('"')))
    return sorted(found)
