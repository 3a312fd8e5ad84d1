"""The spellings of a layout: SQL with front matter, YAML, JSON. All give the same keys, lines and SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gamelake.errors import LayoutError, Place
from gamelake.layouts.frontmatter import FrontMatter, read_yaml, split
from gamelake.layouts.json_lines import read_json

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from gamelake.layouts.frontmatter import KeyPath

SUFFIXES = (".sql", ".yaml", ".yml", ".json")
"""Endings of files that may be layouts."""


def read_layout(file: Path, shown: str) -> FrontMatter:
    """Keys and SQL of a layout in any spelling; `shown` is its path as messages write it."""
    text = read_text(file, shown)
    if file.suffix == ".sql":
        return split(text, shown)
    data: dict[str, Any]
    blocks: dict[KeyPath, int] = {}
    if file.suffix == ".json":
        data, lines = read_json(text, shown)
    else:
        data, lines, blocks = read_yaml(text, shown, what="the file")
    return _with_sql(data, lines, blocks, file, shown)


def read_text(file: Path, shown: str) -> str:
    r"""Text of a file with `\n` at line ends; LayoutError with the line when it is not UTF-8 or not there."""
    try:
        raw = file.read_bytes()
    except OSError as err:
        problem = f"the file cannot be read: {err.strerror}"
        raise LayoutError(problem, Place(shown)) from err
    try:
        return raw.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as err:
        problem = "the file is not UTF-8 text"
        raise LayoutError(problem, Place(shown, raw.count(b"\n", 0, err.start) + 1)) from err


def sql_file_of(file: Path) -> Path | None:
    """The file that holds the SQL of a YAML or JSON layout, if it names one; None also when it cannot be read."""
    try:
        front = read_layout(file, str(file))
    except LayoutError:
        return None
    return front.sql_path


def _with_sql(
    data: dict[str, Any], lines: dict[KeyPath, int], blocks: dict[KeyPath, int], file: Path, shown: str
) -> FrontMatter:
    inline, beside = data.pop("transformSql", None), data.pop("sqlFile", None)
    errors = [
        LayoutError(f"`{key}` is text, seen `{value}`", Place(shown, lines[key,], key))
        for key, value in (("transformSql", inline), ("sqlFile", beside))
        if value is not None and not isinstance(value, str)
    ]
    if inline is not None and beside is not None:
        problem = "both `transformSql` and `sqlFile` are given, and a layout has one SQL"
        errors.append(LayoutError(problem, Place(shown, lines["sqlFile",], "sqlFile"), "remove one of them"))
    if errors:
        raise LayoutError.all_of(errors)
    if isinstance(beside, str):
        return _from_file(data, lines, beside, file, shown)
    if not isinstance(inline, str):
        return FrontMatter(data, lines, "", 1)
    line = blocks.get(("transformSql",))
    flat = line is None
    return FrontMatter(data, lines, inline, lines["transformSql",] if line is None else line, "", flat)


def _from_file(
    data: dict[str, Any], lines: dict[KeyPath, int], beside: str, file: Path, shown: str
) -> FrontMatter:
    place = Place(shown, lines["sqlFile",], "sqlFile")
    path = file.parent / beside
    if not path.is_file():
        near = sorted(other.name for other in file.parent.glob("*.sql*"))
        hint = f"in that folder there are: {', '.join(near)}" if near else "write the SQL into that file"
        raise LayoutError(f"there is no file `{beside}` beside the layout", place, hint)
    where = shown[: len(shown) - len(file.name)] + beside
    text = read_text(path, where)
    if text.lstrip().startswith("/* ---"):
        problem = f"`{beside}` is a layout itself: it begins with front matter"
        raise LayoutError(problem, place, "remove its front matter, or this file")
    return FrontMatter(data, lines, text, 1, where, sql_path=path)
