"""Datasets of the pack that Python writes: bronze lines and what silver makes of them. Gold are layouts."""

from __future__ import annotations

from gamelake.model.checks import Check, CheckKind
from gamelake.model.names import DatasetName
from gamelake.model.schema import Column, ColumnType, Schema
from gamelake.model.steps import OnEmpty, Output

_T = ColumnType
_NIGHT = (
    Column("raid_date", _T.DATE, nullable=False, doc="day of the raid; days begin at 06:00 local time"),
    Column("team", _T.TEXT, nullable=False, doc="label given at import, empty for most guilds"),
)
_PULL = (
    Column("raid_id", _T.TEXT, doc="instance and raid date, with the team's label behind it"),
    Column("encounter_id", _T.BIGINT),
    Column("pull_no", _T.INT, doc="pulls of one boss in one raid, numbered in time order"),
    Column("pull_started_at", _T.TIMESTAMP),
)


def _schema(*columns: Column) -> Schema:
    return Schema(columns)


COMBATLOG = Output(
    dataset=DatasetName.parse("wow.bronze.combatlog"),
    description="Lines of the game's own combat log, as written",
    schema=_schema(
        *_NIGHT,
        Column("log", _T.TEXT, nullable=False, doc="which log: a digest of its first line"),
        Column("part", _T.TEXT, nullable=False, doc="byte offset at which this reading of the log began"),
        Column("line_no", _T.BIGINT, nullable=False, doc="line number within the part, from 1"),
        Column("timestamp", _T.TIMESTAMP, doc="null where the line has none"),
        Column("occurrence", _T.INT, nullable=False, doc="1 for the first of several identical lines"),
        Column("line", _T.TEXT, doc="without its terminator; null where the bytes are not UTF-8"),
        Column("raw", _T.BLOB, doc="the bytes of a line that is not UTF-8"),
    ),
    slice_columns=("raid_date", "team", "log", "part"),
    grain=("raid_date", "team", "log", "part", "line_no"),
    grain_proven=True,
)

LOGS = Output(
    dataset=DatasetName.parse("wow.bronze.logs"),
    description="Logs read so far, and how far",
    schema=_schema(
        Column("log", _T.TEXT, nullable=False),
        Column("part", _T.TEXT, nullable=False),
        Column("team", _T.TEXT, nullable=False),
        Column("file_name", _T.TEXT, nullable=False),
        Column("first_byte", _T.BIGINT, nullable=False, doc="uncompressed offset where this part begins"),
        Column("end_byte", _T.BIGINT, nullable=False, doc="uncompressed offset behind its last whole line"),
        Column("tail", _T.TEXT, nullable=False, doc="digest of the last bytes before end_byte"),
        Column("lines", _T.BIGINT, nullable=False),
        Column("resume", _T.TEXT, nullable=False, doc="what the next reading of this log must know, JSON"),
    ),
    slice_columns=("log", "part"),
    grain=("log", "part"),
    grain_proven=True,
)

_SLICE = ("raid_date", "team")

EVENTS = Output(
    dataset=DatasetName.parse("wow.silver.events"),
    description="The six event types, one row each, pets credited to their owners",
    schema=_schema(
        *_NIGHT,
        Column("event_id", _T.UUID, nullable=False, doc="UUIDv5 of the line and which occurrence of it this is"),
        Column("event_type", _T.TEXT, nullable=False),
        Column("kind", _T.TEXT, nullable=False, doc="spell, periodic, range, melee, environmental, split, absorb …"),
        Column("event_no", _T.BIGINT, nullable=False, doc="order of the events within the night"),
        Column("timestamp", _T.TIMESTAMP, nullable=False),
        Column("event_date", _T.DATE, nullable=False, doc="UTC day"),
        *_PULL,
        Column("encounter_ms", _T.BIGINT, doc="ms since the pull began"),
        Column("phase", _T.INT, doc="of boss_phase events"),
        Column("source_player_id", _T.TEXT, doc="the player who gets the credit: the source, or its owner"),
        Column("source_player_name", _T.TEXT),
        Column("source_entity_id", _T.TEXT, doc="the unit that acted: player, pet, creature"),
        Column("source_entity_name", _T.TEXT),
        Column("source_flags", _T.BIGINT),
        Column("target_entity_id", _T.TEXT),
        Column("target_entity_name", _T.TEXT),
        Column("target_flags", _T.BIGINT),
        Column("target_is_player", _T.BOOL, nullable=False),
        Column("ability_id", _T.BIGINT),
        Column("ability_name", _T.TEXT),
        Column("ability_school", _T.BIGINT, doc="bit mask"),
        Column("damage_amount", _T.BIGINT, doc="HP, overkill included, absorbed not"),
        Column("healing_amount", _T.BIGINT, doc="HP, overheal included; for kind absorb what the shield took"),
        Column("effective", _T.BIGINT, doc="healing_amount without overheal"),
        Column("overheal", _T.BIGINT),
        Column("overkill", _T.BIGINT, doc="null when nobody died of it"),
        Column("absorbed", _T.BIGINT),
        Column("blocked", _T.BIGINT),
        Column("resisted", _T.BIGINT),
        Column("is_critical_hit", _T.BOOL),
        Column("source_hp", _T.BIGINT),
        Column("source_max_hp", _T.BIGINT),
        Column("target_hp", _T.BIGINT),
        Column("target_max_hp", _T.BIGINT),
        Column("resource_type", _T.TEXT),
        Column("resource_amount", _T.DOUBLE),
        Column("resource_over", _T.DOUBLE, doc="gained beyond the maximum"),
    ),
    grain=("event_id",),
    grain_proven=True,  # the identity of a line within a night is unique by construction (see `night.Night`)
    checks=(
        Check("event_type_known", CheckKind.ACCEPTED_VALUES, {
            "column": "event_type",
            "values": [
                "combat_damage", "heal", "player_death", "spell_cast", "boss_phase", "mana_regeneration",
            ],
        }),
        Check("damage_not_negative", CheckKind.RANGE, {"column": "damage_amount", "min": 0}),
        Check("overheal_within_heal", CheckKind.SQL, {"predicate": "overheal IS NULL OR overheal <= healing_amount"}),
    ),
    slice_columns=_SLICE,
    evolve=True,
    on_empty=OnEmpty.CLEAR,
)  # fmt: skip

PULLS = Output(
    dataset=DatasetName.parse("wow.silver.pulls"),
    description="Attempts at bosses, with bounds, outcome and the boss's health",
    schema=_schema(
        *_NIGHT,
        Column("raid_id", _T.TEXT, nullable=False),
        Column("encounter_id", _T.BIGINT, nullable=False),
        Column(
            "pull_no", _T.INT, nullable=False, doc="0 for another log of a fight that is counted elsewhere"
        ),
        Column("pull_started_at", _T.TIMESTAMP, nullable=False),
        Column("ended_at", _T.TIMESTAMP, nullable=False),
        Column("duration_ms", _T.BIGINT, nullable=False),
        Column("boss_name", _T.TEXT, nullable=False),
        Column("difficulty_id", _T.INT, nullable=False),
        Column("group_size", _T.INT, nullable=False),
        Column("instance_id", _T.INT, nullable=False),
        Column("success", _T.BOOL, doc="null when the log does not say how it ended"),
        Column("ended", _T.BOOL, nullable=False, doc="false when the log stops before the fight does"),
        Column("recorder", _T.TEXT, nullable=False, doc="player who kept the log"),
        Column("counted", _T.BOOL, nullable=False, doc="false for a second log of the same fight"),
        Column("lines", _T.BIGINT, nullable=False),
        Column("boss_id", _T.TEXT, doc="unit whose health stands for the boss"),
        Column("boss_unit_name", _T.TEXT),
        Column("boss_named", _T.BOOL, nullable=False, doc="true when that unit bears the encounter's name"),
        Column("boss_max_hp", _T.BIGINT),
        Column("boss_last_hp", _T.BIGINT),
        Column("boss_hp_pct", _T.DOUBLE, doc="health left at the end, percent"),
        Column("boss_damage", _T.BIGINT, doc="amount + absorbed of all damage lines to it"),
        Column(
            "conservation_error",
            _T.DOUBLE,
            doc="(damage − health lost) ÷ max health; null when healed or unnamed",
        ),
    ),
    grain=("raid_id", "encounter_id", "pull_started_at", "recorder"),
    grain_proven=True,
    slice_columns=_SLICE,
    evolve=True,
    on_empty=OnEmpty.CLEAR,
)

COMBATANTS = Output(
    dataset=DatasetName.parse("wow.silver.combatants"),
    description="Who stood in each pull, also those who never act",
    schema=_schema(
        *_NIGHT,
        Column("raid_id", _T.TEXT, nullable=False),
        Column("encounter_id", _T.BIGINT, nullable=False),
        Column("pull_no", _T.INT, nullable=False),
        Column("pull_started_at", _T.TIMESTAMP, nullable=False),
        Column("player_id", _T.TEXT, nullable=False),
        Column("player_name", _T.TEXT, doc="null when no line of the night names the player"),
        Column("class", _T.TEXT, nullable=False),
        Column("role", _T.TEXT, nullable=False),
        Column("spec", _T.TEXT, nullable=False),
        Column("spec_id", _T.INT, nullable=False),
        Column(
            "listed", _T.BOOL, nullable=False, doc="false where the log holds no COMBATANT_INFO of the pull"
        ),
        Column("active_ms", _T.BIGINT, doc="sum of the gaps under 5 s between own events"),
    ),
    grain=("raid_id", "encounter_id", "pull_started_at", "player_id"),
    grain_proven=True,
    slice_columns=_SLICE,
    evolve=True,
    on_empty=OnEmpty.CLEAR,
)

PHASES = Output(
    dataset=DatasetName.parse("wow.silver.phases"),
    description="Stretches of a pull; the log has no line for them, so they are derived and marked so",
    schema=_schema(
        *_NIGHT,
        Column("raid_id", _T.TEXT, nullable=False),
        Column("encounter_id", _T.BIGINT, nullable=False),
        Column("pull_no", _T.INT, nullable=False),
        Column("pull_started_at", _T.TIMESTAMP, nullable=False),
        Column("phase", _T.INT, nullable=False),
        Column("started_ms", _T.BIGINT, nullable=False),
        Column("ended_ms", _T.BIGINT, nullable=False),
        Column("rule", _T.TEXT, nullable=False, doc="what told us: pull, boss at 70 %, boss at 40 %"),
        Column("derived", _T.BOOL, nullable=False),
    ),
    grain=("raid_id", "encounter_id", "pull_started_at", "phase"),
    grain_proven=True,
    slice_columns=_SLICE,
    evolve=True,
    on_empty=OnEmpty.CLEAR,
)

ACCOUNTING = Output(
    dataset=DatasetName.parse("wow.silver.line_accounting"),
    description="What became of every line: event, context, ignored (by name) or quarantined (by reason)",
    schema=_schema(
        *_NIGHT,
        Column("log", _T.TEXT, nullable=False),
        Column("part", _T.TEXT, nullable=False),
        Column("category", _T.TEXT, nullable=False),
        Column("name", _T.TEXT, nullable=False, doc="subevent, or reason of quarantine"),
        Column("lines", _T.BIGINT, nullable=False),
    ),
    grain=("raid_date", "team", "log", "part", "category", "name"),
    grain_proven=True,
    slice_columns=_SLICE,
    evolve=True,
    on_empty=OnEmpty.CLEAR,
)

LOG_PARTS = Output(
    dataset=DatasetName.parse("wow.silver.log_parts"),
    description="What is known of each log of a night: dialect, recording player, lines",
    schema=_schema(
        *_NIGHT,
        Column("log", _T.TEXT, nullable=False),
        Column("part", _T.TEXT, nullable=False),
        Column("dialect", _T.TEXT, nullable=False, doc="v9, v17, v20, v22 or mixed"),
        Column("versions", _T.TEXT, nullable=False, doc="versions named by headers, as written"),
        Column("recorder", _T.TEXT, nullable=False, doc="player who kept the log, empty when no line shows"),
        Column("lines", _T.BIGINT, nullable=False),
    ),
    grain=("raid_date", "team", "log", "part"),
    grain_proven=True,
    slice_columns=_SLICE,
    evolve=True,
    on_empty=OnEmpty.CLEAR,
)

QUARANTINE = Output(
    dataset=DatasetName.parse("wow.silver.quarantined_lines"),
    description="Lines that could not be read, with the reason; the bytes stay in bronze",
    schema=_schema(
        *_NIGHT,
        Column("log", _T.TEXT, nullable=False),
        Column("part", _T.TEXT, nullable=False),
        Column("line_no", _T.BIGINT, nullable=False),
        Column("reason", _T.TEXT, nullable=False),
    ),
    grain=("log", "part", "line_no"),
    grain_proven=True,
    slice_columns=_SLICE,
    evolve=True,
    on_empty=OnEmpty.CLEAR,
)

SILVER = (EVENTS, PULLS, COMBATANTS, PHASES, ACCOUNTING, LOG_PARTS, QUARANTINE)
