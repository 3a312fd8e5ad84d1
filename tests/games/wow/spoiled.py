"""Logs with something wrong in them, drawn by a seed."""

from __future__ import annotations

import random

from games.wow.raid_logs import lines_of, simulated

_BYTES = b'",()[]x0-. \xff\xc3|\t\0\x7f\r'
_WORDS = [
    b"nil",
    b"",
    b"-1",
    b"abc",
    b"1.5",
    b"0x",
    b"9" * 17,
    b"9" * 25,
    b"-" + b"9" * 17,
    b"0xffffffff",
    b'"',
    b"NaN",
]
_LINES = [
    b"\n",
    b"\r\n",
    b"rubbish\r\n",
    b"\0\0\0\0\r\n",
    b"1/7/2026 20:00:00.0000  COMBAT_LOG_VERSION,99,ADVANCED_LOG_ENABLED,1,BUILD_VERSION,20.0.0,PROJECT_ID,77\r\n",
    b"1/7/2026 20:00:00.0000  COMBAT_LOG_VERSION,\r\n",
    b"13/45/2026 20:00:00.0000  SPELL_DAMAGE,1\r\n",
    b"1/7/2026 20:00:00.0000  NEW_THING,1,2,3\r\n",
    b'1/7/2026 20:00:00.0000  ENCOUNTER_START,99999999999999999999,"X",14,20,9810\r\n',
    b'1/7/2026 20:00:00.0000  ENCOUNTER_END,1,"X",14,20,1,99999999999999999999\r\n',
    b'1/7/2026 20:00:00.0000  ENCOUNTER_START,-1,"X",-1,-1,-1\r\n',
    b'1/7/2026 20:00:00.0000  ENCOUNTER_END,9901,"X",2147483648,1,1,9999999999\r\n',
    b"1/7/2026 20:00:00.0000  ENCOUNTER_START\r\n",
    b"1/7/2026 20:00:00.0000  COMBATANT_INFO,Player-1-1,0,99999999999999999999,(1),[2]\r\n",
    b"1/7/2026 20:00:00.0000  COMBATANT_INFO,,,,\r\n",
    b'1/7/2026 20:00:00.0000  EMOTE,"open,\xff\r\n',
    b"12/31/2199 23:59:59.999-12  SPELL_AURA_APPLIED,1\r\n",
    b"1/1/2000 00:00:00.00014  SPELL_AURA_APPLIED,1\r\n",
]


def pieces() -> list[bytes]:
    """Logs that spoiled ones are made of: every dialect, small."""
    return [simulated(seed=9, pulls=2, dialect=dialect) for dialect in ("v22", "v20", "v17", "v9")]


def spoil_line(line: bytes, draw: random.Random) -> bytes:
    """One line with one thing wrong; it stays one line."""
    body, kind = bytearray(line.rstrip(b"\r\n")), draw.randrange(9)
    at = draw.randrange(len(body) + 1)
    fields = bytes(body).split(b",")
    place = draw.randrange(len(fields))
    if kind == 0 and at < len(body):
        body[at] = draw.choice(_BYTES)
    elif kind == 1 and at < len(body):
        body[at] ^= 1 << draw.randrange(8)
    elif kind == 2:
        del body[at:]
    elif kind == 3:
        body[at:at] = draw.choice(_WORDS)
    elif kind == 4:
        del body[at : at + draw.randrange(1, 6)]
    elif kind == 5:
        fields[place] = draw.choice(_WORDS)
    elif kind == 6:
        del fields[place]
    elif kind == 7:
        fields.insert(place, b"7")
    else:
        other = draw.randrange(len(fields))
        fields[place], fields[other] = fields[other], fields[place]
    changed = b",".join(fields) if kind >= 5 else bytes(body)
    return changed.replace(b"\n", b" ") + b"\r\n"


def spoil(data: bytes, draw: random.Random, *, most: int = 400, share: float = 0.2) -> bytes:
    """A stretch of a log in which lines are spoiled, doubled, swapped, lost or put in."""
    lines = lines_of(data)
    begin = draw.randrange(max(1, len(lines) - most))
    out: list[bytes] = []
    for line in lines[begin : begin + draw.randrange(20, most)]:
        luck = draw.random()
        if luck > share:
            out.append(line)
        elif luck > share * 0.3:
            out.append(spoil_line(line, draw))
        elif luck > share * 0.2:
            out += [line] * draw.randrange(2, 5)
        elif luck > share * 0.1:
            out.append(draw.choice(_LINES))
        elif out and luck > share * 0.05:
            out.insert(draw.randrange(len(out)), line)
    return b"".join(out) + draw.choice([b"", b"", b"1/7/2026 20:", b"\xff"])
