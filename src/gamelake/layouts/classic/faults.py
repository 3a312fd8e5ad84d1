"""What the older engine made of a layout, and what ours does: one finding for each class of fault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["fault", "kept", "dropped", "guess", "open"]


@dataclass(frozen=True)
class Finding:
    """Something the importer tells: `old` is what happened, `ours` what happens now."""

    kind: Kind  # a fault of the older engine; a key kept or dropped; a guess; something left to the author
    code: str
    line: int
    key: str
    old: str
    ours: str

    def to_json(self) -> dict[str, Any]:
        """The finding as `layout import --json` shows it."""
        return dict(vars(self))


_SHIFTED_DAY = re.compile(
    r"interval\s*'?7'?\s*'?hour|\bdate\s*\(\s*(ds|occurred|logtime|event_time)\s*\)|at\s+time\s+zone",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"left\s+(?:outer\s+)?join[^;]*?rate|left\s+(?:outer\s+)?join[^;]*?currency_mapping",
    re.IGNORECASE | re.DOTALL,
)
_SUM_OF_RATE = re.compile(r"sum\s*\([^;]*?rate", re.IGNORECASE | re.DOTALL)


def key_faults(data: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int]) -> Iterator[Finding]:
    """Faults that the keys of a layout tell."""

    def fault(code: str, key: str, old: str, ours: str) -> Finding:
        top: tuple[str | int, ...] = (key.partition("[")[0],)
        return Finding("fault", code, lines.get(top, 1), key, old, ours)

    for key in ("sqlFile", "transformSql", "variables"):
        if key in data:
            old = f"`{key}` was never read; without `sqlTemplate` the first input was copied to the output"
            yield fault("ignored_key", key, old, "the key works")
    if "enrichments" in data:
        old = "`enrichments` was never read: its tables did not exist for the SQL"
        yield fault("enrichments", "enrichments", old, "its entries are inputs")
    if data.get("inputSources"):
        old = "every input was counted, then read again: one scan became three"
        yield fault("counted_first", "inputSources", old, "rows are counted while they are written")
        old = "an order by hand between layers: a reader could run before its writer"
        yield fault("order_by_hand", "inputSources", old, "the order follows from what is read and written")
    for output in data.get("outputs") or []:
        yield from _output_faults(output, fault)


def _output_faults(output: Mapping[str, Any], fault: Any) -> Iterator[Finding]:
    mode = output.get("mode", "overwrite")
    if mode == "overwrite":
        lost = ", and its `deleteCondition` was ignored" if "deleteCondition" in output else ""
        old = f"`overwrite`, the default, replaced all history with one day{lost}"
        yield fault(
            "overwrite", "outputs", old, "nothing is replaced but the slice; a table may not shrink unasked"
        )
    if "deleteCondition" in output:
        old = "an empty result skipped the delete too: wrong rows stayed"
        yield fault("empty_result", "outputs", old, "`on_empty: fail` stops it; `clear` empties the slice")
    if output.get("type") in {"jdbc", "table"}:
        old = "one staging table by a fixed name: two dates at once overwrote each other"
        yield fault("shared_staging", "outputs", old, "each run stages by itself")
        old = "INSERT matched columns by position"
        yield fault("by_position", "outputs", old, "columns are matched by name")


def sql_faults(sql: str, replaced: int) -> Iterator[Finding]:
    """Faults that the SQL of a layout tells."""

    def fault(code: str, found: re.Match[str] | None, old: str, ours: str) -> Finding:
        line = 1 if found is None else sql.count("\n", 0, found.start()) + 1
        return Finding("fault", code, line, "sqlTemplate", old, ours)

    if replaced:
        old = "an undefined `{var}` stayed in the SQL as text, an undefined `{{ var }}` became empty"
        first = re.search(r"\{\{?\s*\w+", sql)
        yield fault(
            "undefined_variable", first, old, "an undefined variable is an error that lists the defined ones"
        )
    if shifted := _SHIFTED_DAY.search(sql):
        old = "each job cut days its own way"
        yield fault("day_boundary", shifted, old, "write `{{ business_day('ts', '+07:00') }}` here")
    if (rate := _RATE.search(sql)) and _SUM_OF_RATE.search(sql):
        old = "a currency without a rate gave NULL, which SUM dropped silently"
        yield fault("missing_rate", rate, old, "add a check that fails and names the amounts")
