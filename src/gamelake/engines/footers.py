"""Column facts of files that somebody else wrote, from their footers."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

from gamelake.engines.base import ColumnFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.parquet as pq


def footer_facts(footer: pq.FileMetaData) -> dict[str, ColumnFacts]:
    """Nulls, least and greatest value of each plain column; None where a row group does not say."""
    found: dict[str, list[Any]] = defaultdict(list)
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        for index in range(row_group.num_columns):
            column = row_group.column(index)
            found[column.path_in_schema].append(column.statistics)
    return {name: _facts(statistics) for name, statistics in found.items()}


def _facts(groups: Sequence[Any]) -> ColumnFacts:
    nulls = [g.null_count if g is not None and g.has_null_count else None for g in groups]
    bounds = [(_text(g.min), _text(g.max)) if g is not None and g.has_min_max else None for g in groups]
    known = [bound for bound in bounds if bound is not None]
    # only a value that every row group has from end to end is of use; it needs no ordering of texts
    constant = len(known) == len(groups) > 0 and len({value for bound in known for value in bound}) == 1
    value = known[0][0] if constant else None
    return ColumnFacts(None if None in nulls else sum(filter(None, nulls)), value, value)


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) else None
