"""What the runtime can do of what a layout may say: the one place where a refusal is lifted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gamelake.layouts.document import LayoutDocument
    from gamelake.layouts.frontmatter import KeyPath

INPUT_TYPES = frozenset({"dataset", "table", "query", "file"})
DIALECTS = frozenset({"duckdb"})
STRATEGIES = False


def refusals(document: LayoutDocument) -> Iterator[tuple[str, KeyPath, str]]:
    """(problem, key path, hint) of everything a layout asks for that nothing here can do yet."""
    if document.dialect not in DIALECTS:
        problem = f"SQL in the dialect `{document.dialect}` cannot be run yet, only: {_listed(DIALECTS)}"
        yield problem, ("dialect",), "write the SQL for DuckDB, and leave `dialect` out"
    for index, source in enumerate(document.inputs):
        place: KeyPath = ("inputSources", index)
        if source.resolved_type not in INPUT_TYPES:
            problem = (
                f"inputs of type `{source.resolved_type}` cannot be read yet, only: {_listed(INPUT_TYPES)}"
            )
            hint = "import the data as a dataset, and name it with `dataset: pack.layer.name`"
            yield problem, (*place, "type"), hint
    if not STRATEGIES and (document.strategy or document.maturity):
        key = "strategy" if document.strategy else "maturity"
        yield f"`{key}` does nothing yet: a dataset has one implementation", (key,), "remove it"


def _listed(words: frozenset[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))
