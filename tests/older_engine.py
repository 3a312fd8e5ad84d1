"""The older engine's ways with a layout, in a few lines: the faults that `spec/layouts.md` 6 lists are in plain sight."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import duckdb
from jinja2 import Template

Layout = dict[str, Any]


@dataclass
class OlderEngine:
    """Runs one layout after the other over tables of a DuckDB."""

    tables: duckdb.DuckDBPyConnection
    scans: Counter[str] = field(default_factory=Counter)

    def run(self, layout: Layout, **variables: str) -> None:
        self.publish(layout, self.stage(layout, **variables), **variables)

    def stage(self, layout: Layout, **variables: str) -> str:
        """Count every input, read it, and leave the result in a table whose name is always the same."""
        for name in layout["inputSources"]:
            self._scan(name, f"SELECT count(*) FROM {name}")
            self._scan(name, f"CREATE OR REPLACE TEMP VIEW input_{name} AS SELECT * FROM {name}")
        sql = layout.get("sqlTemplate", f"SELECT * FROM {layout['inputSources'][0]}")  # no other key is known
        staging = f"staging_{layout['table']}"
        self.tables.execute(f"CREATE OR REPLACE TABLE {staging} AS {pasted(sql, variables)}")
        return staging

    def publish(self, layout: Layout, staging: str, **variables: str) -> None:
        """An empty result skips everything; `overwrite` is the default and knows no condition."""
        if self.rows(f"SELECT count(*) FROM {staging}") == [(0,)]:
            return
        if layout.get("mode", "overwrite") == "overwrite":
            self.tables.execute(f"DELETE FROM {layout['table']}")
        elif "deleteCondition" in layout:
            self.tables.execute(
                f"DELETE FROM {layout['table']} WHERE {pasted(layout['deleteCondition'], variables)}"
            )
        self.tables.execute(f"INSERT INTO {layout['table']} SELECT * FROM {staging}")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.tables.execute(sql).fetchall()

    def _scan(self, name: str, sql: str) -> None:
        self.scans[name] += 1
        self.tables.execute(sql)


def pasted(text: str, variables: dict[str, str]) -> str:
    """Variables as text; one that is missing stays as it is, or becomes nothing."""
    text = Template(text).render(variables)
    for name, value in variables.items():
        text = text.replace(f"{{{name}}}", value)
    return text
