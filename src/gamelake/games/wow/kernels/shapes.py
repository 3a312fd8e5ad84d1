"""What the kernels and their callers agree on: categories, reasons, subevents, columns."""

from __future__ import annotations

import numpy as np

# categories
EVENT, CONTEXT, IGNORED, QUARANTINED = 0, 1, 2, 3
IGNORED_UNREAD = 4  # inside the kernel: ignored, and its row is not to be used

# reasons of quarantine, in the order in which they are looked for
REASONS = (
    "",
    "not_utf8",
    "control_character",
    "timestamp",
    "subevent",
    "quotes",
    "field_count",
    "unit",
    "number",
)
R_UTF8, R_CONTROL, R_TIME, R_SUBEVENT, R_QUOTES, R_FIELDS, R_UNIT, R_NUMBER = 1, 2, 3, 4, 5, 6, 7, 8

# how a subevent is read
K_IGNORE, K_CONTEXT, K_FREE_TEXT, K_SUMMON, K_DIED = 0, 1, 2, 3, 4
K_SPELL_DAMAGE, K_SWING_DAMAGE, K_ENVIRONMENTAL, K_HEAL, K_ABSORBED, K_CAST, K_ENERGIZE = (
    5,
    6,
    7,
    8,
    9,
    10,
    11,
)
K_LANDED = 12  # the same swing again, with the health of the struck: read, but no event

KNOWN: tuple[tuple[str, int], ...] = (
    ("SPELL_DAMAGE", K_SPELL_DAMAGE),
    ("SPELL_PERIODIC_DAMAGE", K_SPELL_DAMAGE),
    ("RANGE_DAMAGE", K_SPELL_DAMAGE),
    ("DAMAGE_SPLIT", K_SPELL_DAMAGE),
    ("SWING_DAMAGE", K_SWING_DAMAGE),
    ("ENVIRONMENTAL_DAMAGE", K_ENVIRONMENTAL),
    ("SPELL_HEAL", K_HEAL),
    ("SPELL_PERIODIC_HEAL", K_HEAL),
    ("SPELL_ABSORBED", K_ABSORBED),
    ("SPELL_CAST_SUCCESS", K_CAST),
    ("SPELL_ENERGIZE", K_ENERGIZE),
    ("SPELL_PERIODIC_ENERGIZE", K_ENERGIZE),
    ("UNIT_DIED", K_DIED),
    ("SWING_DAMAGE_LANDED", K_LANDED),
    ("SPELL_SUMMON", K_SUMMON),
    ("EMOTE", K_FREE_TEXT),
    ("ENCOUNTER_START", K_CONTEXT),
    ("ENCOUNTER_END", K_CONTEXT),
    ("COMBATANT_INFO", K_CONTEXT),
    ("COMBAT_LOG_VERSION", K_CONTEXT),
    ("ZONE_CHANGE", K_CONTEXT),
    ("MAP_CHANGE", K_CONTEXT),
)
CONTEXT_PREFIXES = ("CHALLENGE_MODE_", "ARENA_", "WORLD_MARKER_")
LANDED = [name for name, _ in KNOWN].index("SWING_DAMAGE_LANDED")
KINDS = np.array([kind for _, kind in KNOWN], np.int64)
PREFIX_WIDTH = 1 + max(len(prefix) for prefix in CONTEXT_PREFIXES)
PREFIXES = np.array(  # one row each: length, bytes
    [[len(prefix), *prefix.encode().ljust(PREFIX_WIDTH - 1)] for prefix in CONTEXT_PREFIXES], np.int64
)

# columns of an event row
(
    C_LINE, C_SUBEVENT, C_SOURCE, C_SOURCE_NAME, C_SOURCE_FLAGS, C_TARGET, C_TARGET_NAME, C_TARGET_FLAGS,
    C_ABILITY, C_ABILITY_NAME, C_SCHOOL, C_INFO, C_HP, C_MAX_HP, C_AMOUNT, C_OVERKILL, C_RESISTED, C_BLOCKED,
    C_ABSORBED, C_OVERHEAL, C_CRITICAL, C_POWER_TYPE, C_CAUSE, C_BLOCK, COLUMNS,
) = range(25)  # fmt: skip
NONE = -1  # no such string

MAX_FIELDS = 64
SHORTEST_BLOCK, LONGEST_BLOCK = 16, 30  # fields of an advanced block, oldest dialect and newest imaginable
MEMO = 1024  # last code of an ability's name, by the low bits of its id
