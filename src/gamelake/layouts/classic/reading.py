"""Turning the SQL of the older layouts into ours: `{var}` and `{{ var }}` were text replaced in text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gamelake.layouts.macros import MACROS

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/|\{\#.*?\#\})
    |(?P<block>\{%.*?%\})
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*")
    |(?P<variable>\{\{.*?\}\}|\{[A-Za-z_]\w*\})
    |(?P<word>[^\W\d]\w*)
    |(?P<space>\s+)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}|\{([A-Za-z_]\w*)\}")
_FILTERED = re.compile(
    r"\{\{.*\|\s*(lit|ident|day)\s*\}\}|\{\{\s*(" + "|".join(MACROS) + r")\(.*\}\}", re.DOTALL
)
_A_DAY = re.compile(r"date|day", re.IGNORECASE)


@dataclass
class ModernSql:
    """SQL whose variables go through filters, with their types, and what could not be carried over."""

    sql: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    replaced: int = 0  # places where text was pasted into SQL before
    unknown: list[str] = field(default_factory=list)


def modern_sql(text: str) -> ModernSql:
    """Rewrite every substituted variable as a bound one.

    >>> modern_sql("SELECT a FROM t WHERE d = '{logDate}' AND n > {least}").sql
    'SELECT a FROM t WHERE d = {{ logDate | day }} AND n > {{ least | lit }}'
    """
    made = ModernSql()
    pieces: list[str] = []
    tokens = list(_TOKEN.finditer(text))
    for index, token in enumerate(tokens):
        kind, piece = token.lastgroup, token.group()
        if kind == "text" and _VARIABLE.search(piece):
            if pieces and _word_before(pieces) == "date" and _VARIABLE.fullmatch(piece[1:-1]):
                while pieces.pop().lower() != "date":
                    pass
            pieces.append(_in_text(piece, made))
        elif kind == "variable":
            follows = tokens[index + 1].group() if index + 1 < len(tokens) else ""
            pieces.append(_bare(piece, _word_before(pieces), follows, made))
        elif kind == "name" and _VARIABLE.search(piece):
            pieces.append(_in_name(piece, made))
        else:
            pieces.append(piece)
    made.sql = "".join(pieces)
    return made


def _word_before(pieces: list[str]) -> str:
    return next((piece.lower() for piece in reversed(pieces) if piece.strip()), "")


def _known(name: str, kind: str, made: ModernSql) -> str:
    """Note a variable with its type; the filter that fits it."""
    kind = "date" if kind == "text" and _A_DAY.search(name) else kind
    kind = made.variables.setdefault(name, kind)
    made.replaced += 1
    return {"date": "day", "ident": "ident"}.get(kind, "lit")


def _in_text(piece: str, made: ModernSql) -> str:
    inner = piece[1:-1]
    whole = _VARIABLE.fullmatch(inner)
    if whole:
        name = whole[1] or whole[2]
        return f"{{{{ {name} | {_known(name, 'text', made)} }}}}"
    parts: list[str] = []
    at = 0
    for found in _VARIABLE.finditer(inner):
        if found.start() > at:
            parts.append(f"'{inner[at : found.start()]}'")
        name = found[1] or found[2]
        used = _known(name, "text", made)
        value = f"{{{{ {name} | {used} }}}}"
        parts.append(f"CAST({value} AS VARCHAR)" if made.variables[name] in {"date", "int"} else value)
        at = found.end()
    if at < len(inner):
        parts.append(f"'{inner[at:]}'")
    return f"({' || '.join(parts)})"


def _bare(piece: str, before: str, follows: str, made: ModernSql) -> str:
    if _FILTERED.fullmatch(piece):
        return piece
    found = _VARIABLE.fullmatch(piece)
    if found is None:
        made.unknown.append(piece)
        return piece
    name = found[1] or found[2]
    is_name = before in {"from", "join", "."} or follows.startswith(".")
    return f"{{{{ {name} | {_known(name, 'ident' if is_name else 'int', made)} }}}}"


def _in_name(piece: str, made: ModernSql) -> str:
    found = _VARIABLE.fullmatch(piece[1:-1])
    if found is None:
        made.unknown.append(piece)
        return piece
    name = found[1] or found[2]
    made.variables.setdefault(name, "ident")
    made.replaced += 1
    return f"{{{{ {name} | ident }}}}"
