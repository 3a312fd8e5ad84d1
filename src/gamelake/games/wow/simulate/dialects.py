"""The same night in older dialects: v22 lines rewritten field by field. Slow, for tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FIRST = re.compile(r"(\d+/\d+)/\d+ (\d\d:\d\d:\d\d\.\d\d\d)\S*  (.*)", re.DOTALL)
_FIELD = re.compile(r'(?:"[^"]*"|\([^()]*(?:\([^()]*\)[^()]*)*\)|\[(?:[^\[\]])*\]|[^,"(\[])*')

_BLOCK_AT: Final = {"SWING": 9, "ENVIRONMENTAL": 9}
_BLOCKED: Final = (
    "_DAMAGE",
    "_DAMAGE_LANDED",
    "_HEAL",
    "_ENERGIZE",
    "DAMAGE_SPLIT",
    "SPELL_CAST_SUCCESS",
    "_DAMAGE_SUPPORT",
)


@dataclass(frozen=True)
class Dialect:
    """What an older client writes differently."""

    version: int
    build: str
    project: int
    drop: tuple[int, ...]
    percent: bool = False
    old_ends: bool = False


DIALECTS: Final = {
    "v20": Dialect(20, "11.0.0", 1, (7, 8)),
    "v17": Dialect(17, "9.0.2", 1, (7, 8)),
    "v9": Dialect(9, "2.5.1", 5, (7, 8, 9), percent=True, old_ends=True),
}
"""Dialect name → how it differs; `drop` are positions in the advanced block."""


def rewrite(data: bytes, dialect: Dialect) -> bytes:
    r"""Whole v22 lines as the dialect has them: no year, no offset, shorter blocks.

    >>> rewrite(b'1/7/2026 20:00:00.0001  UNIT_DIED,0,nil,0x0,0x0,P,"N",0x1,0x0,1\r\n', DIALECTS["v9"])
    b'1/7 20:00:00.000  UNIT_DIED,0,nil,0x0,0x0,P,"N",0x1,0x0\r\n'
    """
    lines = data.decode().split("\r\n")
    return "\r\n".join(_line(line, dialect) if line else line for line in lines).encode()


def _line(line: str, dialect: Dialect) -> str:
    found = _FIRST.match(line)
    assert found is not None
    day, time, rest = found.groups()
    name = rest.partition(",")[0]
    return f"{day} {time}  {rest if name == 'EMOTE' else _rest(name, split(rest), dialect)}"


def split(rest: str) -> list[str]:
    """Fields with their quotes and brackets on.

    >>> split('A,"b, c",[(1,2),(3)],(),nil')
    ['A', '"b, c"', '[(1,2),(3)]', '()', 'nil']
    """
    fields, at = [], 0
    while True:
        found = _FIELD.match(rest, at)
        assert found is not None
        fields.append(found.group())
        at = found.end() + 1
        if found.end() >= len(rest):
            return fields


def _rest(name: str, fields: list[str], dialect: Dialect) -> str:
    if name == "COMBAT_LOG_VERSION":
        return f"{name},{dialect.version},ADVANCED_LOG_ENABLED,1,BUILD_VERSION,{dialect.build},PROJECT_ID,{dialect.project}"
    if name == "COMBATANT_INFO":
        fields = _combatant(fields)
    elif name.endswith(_BLOCKED):
        fields = _block(name, fields, dialect)
    if dialect.old_ends:
        fields = _old_end(name, fields)
    return ",".join(fields)


def _combatant(fields: list[str]) -> list[str]:
    """One number less before the specialisation, one list more behind it."""
    return [*fields[:24], fields[25], "(1,2,3)", fields[27], "[1,3,[],[],[]]", *fields[28:]]


def _block(name: str, fields: list[str], dialect: Dialect) -> list[str]:
    at = _BLOCK_AT.get(name.partition("_")[0], 12)
    block = fields[at : at + 19]
    if dialect.percent:
        block[2:4] = [str(-(-100 * int(block[2]) // int(block[3]))), "100"]
    kept = [value for position, value in enumerate(block) if position not in dialect.drop]
    after = fields[at + 19 :]
    if after[-1:] in (["ST"], ["AOE"]):
        after.pop()
    return [*fields[:at], *kept, *after]


def _old_end(name: str, fields: list[str]) -> list[str]:
    if name in {"UNIT_DIED", "PARTY_KILL", "SPELL_ABSORBED", "ENCOUNTER_END"}:
        return fields[:-1]
    return fields
