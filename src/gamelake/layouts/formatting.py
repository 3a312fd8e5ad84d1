"""One way to write a layout: keys in one order, SQL tidied. The meaning, and the fingerprint, stay as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from gamelake.layouts.frontmatter import closing_line, opening_line, read_yaml
from gamelake.layouts.json_lines import read_json

ORDER = (
    *("description", "layer", "strategy", "maturity", "dialect", "inputSources", "variables", "outputs"),
    *("carries", "checks", "sqlFile", "transformSql"),
)
"""Keys of the top level as a formatted layout has them; any other follows in the order it was written."""
# Words that DuckDB reserves, so they are never somebody's column.
_RESERVED = frozenset(
    [
        "all",
        "and",
        "as",
        "asc",
        "case",
        "cast",
        "cross",
        "desc",
        "distinct",
        "else",
        "end",
        "except",
        "false",
        "from",
        "full",
        "group",
        "having",
        "in",
        "inner",
        "intersect",
        "is",
        "join",
        "left",
        "like",
        "limit",
        "not",
        "null",
        "offset",
        "on",
        "or",
        "order",
        "outer",
        "qualify",
        "right",
        "select",
        "then",
        "true",
        "union",
        "using",
        "when",
        "where",
        "with",
    ]
)
_PIECE = re.compile(
    r"""
    (?P<kept>--[^\n]*|/\*.*?\*/|\{\#.*?\#\}|\{\{.*?\}\}|\{%.*?%\}
      |'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$)
    |(?P<word>[^\W\d]\w*)
    |(?P<comma>,(?=[^\s]))
    |(?P<end>[ \t]+(?=\n|\Z))
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def formatted(text: str, file: str) -> str:
    """The canonical text of a layout; `file` tells its spelling and stands in errors.

    Raises LayoutError when the file is no layout at all.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    suffix = Path(file).suffix
    if suffix == ".json":
        data, _ = read_json(text, file)
        return json.dumps(_in_order(data), indent=2, ensure_ascii=False) + "\n"
    if suffix in {".yaml", ".yml"}:
        return _yaml_blocks(text, file, 1).rstrip() + "\n"
    start, first_line = opening_line(text, file)
    end, after = closing_line(text, start, file)
    keys = _yaml_blocks(text[start:end], file, first_line).rstrip()
    sql = tidy_sql(text[after:])
    return f"/* ---\n{keys}\n--- */\n{sql}"


def tidy_sql(sql: str) -> str:
    r"""SQL with reserved words in capitals, a space after commas, no blanks at line ends and no closing `;`.

    >>> tidy_sql("select a,b from t  ;")
    'SELECT a, b FROM t\n'
    """
    made: list[str] = []
    before = ""
    for found in _PIECE.finditer(sql.strip("\n")):
        piece = found.group()
        if found.lastgroup == "word":
            piece = _cased(piece, before)
            before = piece.lower()
        elif found.lastgroup == "comma":
            piece = ", "
        elif found.lastgroup == "end":
            piece = ""
        if found.lastgroup not in {"word", "end"} and piece.strip():
            before = piece
        made.append(piece)
    text = "".join(made).rstrip().lstrip("\n")  # lines that only now became empty
    while text.endswith(";") and not _ends_in_comment(text):
        text = text[:-1].rstrip()
    return f"{text}\n" if text else ""


def _ends_in_comment(text: str) -> bool:
    last = None
    for found in _PIECE.finditer(text):
        last = found
    return last is not None and last.lastgroup == "kept"


def _cased(word: str, before: str) -> str:
    lower = word.lower()
    if before in {".", "as"}:
        return word
    by = lower == "by" and before in {"group", "order", "partition"}
    return word.upper() if lower in _RESERVED or by else word


def _yaml_blocks(text: str, file: str, first_line: int) -> str:
    """Top-level keys in order, each with its lines and the comments above it, exactly as they were written."""
    data, lines, _ = read_yaml(text, file, first_line, what="the layout")
    rows = text.split("\n")
    starts = {key: lines[key,] - first_line for key in data if (key,) in lines}
    if any(not rows[at].startswith((str(key), f'"{key}"', f"'{key}'")) for key, at in starts.items()):
        return text  # a mapping in braces, or indented as a whole
    begins = {key: _with_comments(rows, at) for key, at in starts.items()}
    edges = [*sorted(begins.values()), len(rows)]
    blocks = {key: rows[at : edges[edges.index(at) + 1]] for key, at in begins.items()}
    head = rows[: edges[0]]
    made = [*head, *(row for key in _in_order(data) for row in _trimmed(blocks[key]))]
    # blanks at line ends may be part of a text block; then they stay
    tries = ("\n".join([*(row.rstrip() for row in made), ""]), "\n".join([*made, ""]))
    return next((found for found in tries if _same(found, data)), text)


def _with_comments(rows: list[str], at: int) -> int:
    while at > 0 and rows[at - 1].startswith("#"):
        at -= 1
    return at


def _trimmed(rows: list[str]) -> list[str]:
    while rows and not rows[-1].strip():
        rows = rows[:-1]
    return rows


def _same(text: str, data: Any) -> bool:
    try:
        return bool(yaml.safe_load(text) == data)
    except yaml.YAMLError:
        return False


def _in_order(data: dict[str, Any]) -> dict[str, Any]:
    known = [key for key in ORDER if key in data]
    return {key: data[key] for key in [*known, *(key for key in data if key not in known)]}


def front_matter(data: dict[str, Any]) -> str:
    """A layout's keys as YAML, in order."""
    return yaml.safe_dump(
        _in_order(data), sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
