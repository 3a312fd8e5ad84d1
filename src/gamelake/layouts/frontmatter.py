"""Splitting a layout file into front matter and SQL, and finding the line of every key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError, Place

if TYPE_CHECKING:
    from pathlib import Path

    import yaml

_OPEN = re.compile(r"\A\s*/\*\s*---[ \t]*\n")
_CLOSE = re.compile(r"^---[ \t]*\*/[ \t]*$", re.MULTILINE)

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of the document to a value."""


@dataclass(frozen=True)
class FrontMatter:
    """The keys of a layout with the line of each, and its SQL with the place where that stands."""

    data: Any
    lines: dict[KeyPath, int]
    sql: str
    sql_line: int
    sql_file: str = ""  # when the SQL stands in a file of its own
    sql_on_one_line: bool = False  # the text has lines that its file has not, as in JSON
    sql_path: Path | None = None  # the file of `sql_file`

    def line_of(self, path: KeyPath) -> int:
        """Line of a key, or of the nearest one around it that the file has."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def split(text: str, file: str) -> FrontMatter:
    """Read the block between `/* ---` and `--- */`; raises LayoutError when it is no YAML mapping."""
    start, first_line = opening_line(text, file)
    end, after = closing_line(text, start, file)
    data, lines, _ = read_yaml(text[start:end], file, first_line)
    for key in ("transformSql", "sqlFile"):
        if key in data:
            problem = f"`{key}` belongs to YAML and JSON layouts; here the SQL stands below the front matter"
            raise LayoutError(problem, Place(file, lines[key,], key), "move the SQL there")
    sql_start = after + _blank_lines(text[after:])
    return FrontMatter(data, lines, text[sql_start:], text.count("\n", 0, sql_start) + 1)


def opening_line(text: str, file: str) -> tuple[int, int]:
    """Where the YAML starts, and on which line."""
    found = _OPEN.match(text)
    if found is None:
        raise _no_front_matter(file, "`/* ---` on the first line")
    return found.end(), text.count("\n", 0, found.end()) + 1


def closing_line(text: str, start: int, file: str) -> tuple[int, int]:
    """Where the YAML that starts there ends, and where the SQL may begin."""
    found = _CLOSE.search(text, start)
    if found is None:
        raise _no_front_matter(file, "a line `--- */` that ends it")
    return found.start(), found.end()


def _no_front_matter(file: str, missing: str) -> LayoutError:
    problem = f"no front matter, expected {missing}"
    return LayoutError(problem, Place(file, 1), "a layout starts with `/* ---`, YAML, `--- */`")


def _blank_lines(text: str) -> int:
    """Characters before the first line with something on it."""
    return len(text) - len(text.lstrip()) - len(text[: len(text) - len(text.lstrip())].rpartition("\n")[2])


def read_yaml(
    text: str, file: str, first_line: int = 1, *, what: str = "the front matter"
) -> tuple[Any, dict[KeyPath, int], dict[KeyPath, int]]:
    """A YAML mapping, the line of every key, and the first line of every text written as a block (`|`)."""
    import yaml  # layouts from the parse cache need none of it

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)  # the C loader is ten times faster
    lines: dict[KeyPath, int] = {(): first_line}
    blocks: dict[KeyPath, int] = {}
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            problem = f"{what} is empty, expected keys such as `description` and `outputs`"
            raise LayoutError(problem, Place(file, first_line))
        _collect_lines(node, (), first_line, lines, blocks, file)
        return loader.construct_document(node), lines, blocks
    except yaml.MarkedYAMLError as err:
        line = first_line + (err.problem_mark.line if err.problem_mark else 0)
        problem = f"{what} is not YAML: {err.problem}"
        raise LayoutError(problem, Place(file, line)) from err
    except (yaml.YAMLError, ValueError) as err:  # a control character, or a date such as 2026-13-01
        problem = f"{what} is not YAML: {err}"
        raise LayoutError(problem, Place(file, first_line)) from err
    finally:
        loader.dispose()


def _collect_lines(
    node: yaml.Node,
    path: KeyPath,
    first_line: int,
    lines: dict[KeyPath, int],
    blocks: dict[KeyPath, int],
    file: str,
) -> None:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            line = first_line + key.start_mark.line
            if here in lines:
                raise twice(str(key.value), lines[here], Place(file, line, dotted(here)))
            lines[here] = line
            _collect_lines(value, here, first_line, lines, blocks, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = first_line + value.start_mark.line
            _collect_lines(value, (*path, index), first_line, lines, blocks, file)
    elif isinstance(node, yaml.ScalarNode) and node.style == "|":
        blocks[path] = first_line + node.start_mark.line + 1


def twice(key: str, first: int, place: Place) -> LayoutError:
    """The error of a key that stands twice in one mapping."""
    return LayoutError(f"`{key}` stands here twice, first in line {first}", place)


def dotted(path: KeyPath) -> str:
    """Key path as people write it.

    >>> dotted(("outputs", 0, "grain"))
    'outputs[0].grain'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
