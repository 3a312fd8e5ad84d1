"""A fingerprint of SQL that ignores what does not change its meaning. Needs no parser, so `plan` stays quick."""

from __future__ import annotations

import re
from hashlib import sha256

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/|\{\#.*?\#\})
    |(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$)
    |(?P<word>\w+)
    |(?P<space>\s+)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def normalised(sql: str) -> str:
    r"""SQL without comments, with one space between tokens and letter case only inside quotes.

    >>> normalised("SELECT  A -- why\nFROM t;")
    'select a from t'
    """
    tokens = []
    for match in _TOKEN.finditer(sql):
        if match.lastgroup in {"comment", "space"}:
            continue
        text = match.group()
        tokens.append(text if match.lastgroup == "quoted" else text.lower())
    while tokens and tokens[-1] == ";":
        tokens.pop()
    return " ".join(tokens)


def fingerprint(*parts: str) -> str:
    """Sixteen hex digits that differ when any part does."""
    digest = sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:16]
