"""What a path of files may say: folders, and `{column}` where a folder's name tells a slice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gamelake.model.schema import ColumnType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from gamelake.layouts.document import ColumnDocument

SLICE_TYPES = {
    ColumnType.DATE: "date",
    ColumnType.INT: "int",
    ColumnType.BIGINT: "int",
    ColumnType.TEXT: "text",
}
"""Types whose values may name a slice, and the type of a variable that is bound to one."""


def path_mistakes(
    given: str, pattern: str, columns: Mapping[str, ColumnDocument], sliced: Collection[str]
) -> Iterator[tuple[str, str]]:
    """(problem, key) of a path as it was written and with columns in place of variables."""
    words = re.findall(r"\{(\w+)\}", pattern)
    if re.search(r"[*?\[\]]", given) or re.search(r"[{}]", re.sub(r"\{\w+\}", "", given)):
        yield "a path names a folder or a file, with `{column}` for a slice and no wildcards", "path"
    if "://" in given:
        yield "a URL is the `root` of a connection, and `path` is below it", "path"
    if ".." in given.split("/"):
        yield "a path does not leave the connection's root by `..`", "path"
    for word in words:
        if word not in columns:
            problem = f"`{{{word}}}` is neither a column of the input's schema nor paired with one"
            yield f"{problem}; write `ds={{{word}}}`, or `slice: {{ds: {word}}}`", "path"
        elif columns[word].type not in SLICE_TYPES:
            listed = ", ".join(kind.value for kind in SLICE_TYPES)
            yield f"`{word}` is `{columns[word].type.value}`; a slice column is one of: {listed}", "path"
    for word in sorted({word for word in words if words.count(word) > 1}):
        yield f"`{{{word}}}` stands twice in the path", "path"
    for name in sliced:
        if name not in words:
            yield f"the path does not say where `{name}` is; write `…/{name}={{{name}}}`", "slice"
