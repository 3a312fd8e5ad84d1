"""Splitting a layout file into front matter and SQL, and finding the line of every key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from gamelake.errors import LayoutError, Place

_OPEN = re.compile(r"\A\s*/\*\s*---[ \t]*\n")
_CLOSE = re.compile(r"^---[ \t]*\*/[ \t]*$", re.MULTILINE)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is ten times faster

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of the document to a value."""


@dataclass(frozen=True)
class FrontMatter:
    """The YAML block of a file, with the line of every key, and the SQL below it."""

    data: Any
    lines: dict[KeyPath, int]
    sql: str
    sql_line: int

    def line_of(self, path: KeyPath) -> int:
        """Line of a key, or of the nearest one around it that the file has."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def split(text: str, file: str) -> FrontMatter:
    """Read the block between `/* ---` and `--- */`; raises LayoutError when it is no YAML mapping."""
    opening = _OPEN.match(text)
    closing = _CLOSE.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        missing = "`/* ---` on the first line" if opening is None else "a line `--- */` that ends it"
        problem = f"no front matter, expected {missing}"
        raise LayoutError(problem, Place(file, 1), "a layout starts with `/* ---`, YAML, `--- */`")
    first_line = text.count("\n", 0, opening.end()) + 1
    data, lines = _read_yaml(text[opening.end() : closing.start()], file, first_line)
    sql_start = closing.end() + _blank_lines(text[closing.end() :])
    return FrontMatter(data, lines, text[sql_start:], text.count("\n", 0, sql_start) + 1)


def _blank_lines(text: str) -> int:
    """Characters before the first line with something on it."""
    return len(text) - len(text.lstrip()) - len(text[: len(text) - len(text.lstrip())].rpartition("\n")[2])


def _read_yaml(text: str, file: str, first_line: int) -> tuple[Any, dict[KeyPath, int]]:
    loader = _Loader(text)
    lines: dict[KeyPath, int] = {(): first_line}
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            problem = "the front matter is empty, expected keys such as `description` and `outputs`"
            raise LayoutError(problem, Place(file, first_line))
        _collect_lines(node, (), first_line, lines, file)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as err:
        line = first_line + (err.problem_mark.line if err.problem_mark else 0)
        problem = f"the front matter is not YAML: {err.problem}"
        raise LayoutError(problem, Place(file, line)) from err
    finally:
        loader.dispose()


def _collect_lines(
    node: yaml.Node, path: KeyPath, first_line: int, lines: dict[KeyPath, int], file: str
) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            line = first_line + key.start_mark.line
            if here in lines:
                problem = f"`{key.value}` stands here twice, first in line {lines[here]}"
                raise LayoutError(problem, Place(file, line, dotted(here)))
            lines[here] = line
            _collect_lines(value, here, first_line, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = first_line + value.start_mark.line
            _collect_lines(value, (*path, index), first_line, lines, file)


def dotted(path: KeyPath) -> str:
    """Key path as people write it.

    >>> dotted(("outputs", 0, "grain"))
    'outputs[0].grain'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
