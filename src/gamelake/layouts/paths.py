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


_FOLDER_OF_SLICE = re.compile(r"(\w+)=\{(\w+)\}")


def split_folder(path: str, sliced: Mapping[str, str]) -> tuple[str, list[str]]:
    """The folder of a written dataset, and the slice columns of the folders `column={variable}` that end its path."""
    pieces = [piece for piece in path.split("/") if piece not in {"", "."}]
    words: list[str] = []
    while pieces and (found := _FOLDER_OF_SLICE.fullmatch(pieces[-1])):
        if found[1] not in sliced or found[2] not in {found[1], sliced[found[1]]}:
            break
        words.insert(0, found[1])
        pieces.pop()
    return "/".join(pieces), words


def folder_mistakes(path: str, sliced: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the path of files that a layout writes."""
    folder, words = split_folder(path, sliced)
    hint = "/".join(f"{name}={{{variable}}}" for name, variable in sliced.items())
    if "://" in path or path.startswith(("/", "~")):
        yield "the connection's `root` says where files are, and `path` is below it"
    elif ".." in path.split("/"):
        yield "a path does not leave the connection's root by `..`"
    elif re.search(r"[*?\[\]{}]", folder):
        also = (
            f", and ends with `{hint}` or leaves that out"
            if sliced
            else ", without `{…}` for want of a slice"
        )
        yield f"a path names the folder of the dataset{also}"
    elif not folder:
        yield "a path begins with a folder for the dataset alone"
    elif any(piece.startswith(("_", ".")) for piece in folder.split("/")):
        yield "names that begin with `_` or `.` are passed over by readers"
    if words and sorted(words) != sorted(sliced):
        yield f"a path tells every slice column once, or none; write `…/{hint}`"
