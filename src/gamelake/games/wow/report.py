"""What a raid report says, as plain data: pages, terminal and JSON all draw from here.

Every function takes a DuckDB connection that has `wow.silver.*` and `wow.gold.*` (a project's, or that of
`standalone.open_logs`). Times are ms since the pull began, amounts are HP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from gamelake.errors import NotFoundError
from gamelake.games.wow.names import hide, hiding
from gamelake.games.wow.specs import difficulty_label, school_label

if TYPE_CHECKING:
    import duckdb

    Row = dict[str, Any]

T = TypeVar("T")

RECAP_MS = 10_000
TIMELINE_POINTS = 120
_DONE = "event_type = 'combat_damage' AND kind IN ('spell', 'periodic', 'range', 'melee')"
_PULL = "raid_id = $raid AND encounter_id = $encounter AND pull_no = $pull"
METRICS = ("damage", "healing", "taken")


class RaidReport:
    """Reads reports; with `pseudonyms` no real name or GUID of a player leaves it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, pseudonyms: bool = False) -> None:
        self._connection = connection
        self._pseudonyms = pseudonyms
        self._table: dict[str, str] | None = None

    # the night

    def log(self) -> Row:
        """Line accounting over all logs: total = events + context + ignored + quarantined."""
        counts = {row["category"]: row["lines"] for row in self._rows(
            "SELECT category, CAST(sum(lines) AS BIGINT) AS lines FROM wow.silver.line_accounting GROUP BY category"
        )}  # fmt: skip
        dialects = {row["dialect"] for row in self._rows("SELECT DISTINCT dialect FROM wow.silver.log_parts")}
        names = ("event", "context", "ignored", "quarantined")
        return {
            "total": sum(counts.values()),
            "events": counts.get("event", 0),
            **{name: counts.get(name, 0) for name in names[1:]},
            "dialect": dialects.pop() if len(dialects) == 1 else "mixed" if dialects else "unknown",
        }

    def summary(self, raid_id: str | None = None) -> Row:
        """The stable JSON object of `raid report --json`: `log` and `encounters` in time order."""
        where = "" if raid_id is None else "WHERE raid_id = $raid"
        values = {} if raid_id is None else {"raid": raid_id}
        pulls = self._rows(
            f"SELECT * FROM wow.gold.fact_raid_summary {where} ORDER BY pull_started_at, encounter_id", values
        )
        return self._shown({"log": self.log(), "encounters": [self._encounter(pull) for pull in pulls]})

    def _encounter(self, pull: Row) -> Row:
        key = _key(pull)
        players = self._rows(
            f"""SELECT player_id AS guid, name, class, spec_id, role, damage, healing, overhealing, absorbs,
                damage_taken, deaths, casts
            FROM wow.gold.fact_player_raid_stats WHERE {_PULL} ORDER BY damage DESC, healing DESC, guid""",
            key,
        )
        return {
            "encounter_id": pull["encounter_id"],
            "name": pull["boss_name"],
            "difficulty_id": pull["difficulty_id"],
            "group_size": pull["group_size"],
            "instance_id": pull["instance_id"],
            "success": pull["outcome"] == "kill",
            "duration_ms": pull["duration_ms"],
            "conservation_error": pull["conservation_error"],
            "raid_id": pull["raid_id"],
            "pull_no": pull["pull_no"],
            "started_at": _iso(pull["pull_started_at"]),
            "boss_hp_pct": pull["boss_min_hp_pct"],
            "outcome_inferred": pull["outcome_inferred"],
            "players": players,
            "deaths": self._deaths(key),
        }

    def raids(self) -> list[Row]:
        """All raids, latest first."""
        rows = self._rows("SELECT * FROM wow.gold.dim_raid ORDER BY started_at DESC, raid_id")
        for row in rows:
            row["difficulty"] = difficulty_label(row["difficulty_id"])
        return self._shown(rows)

    def night(self, raid_id: str) -> Row:
        """One raid: its pulls in time order, attendance, and how far the numbers can be trusted.

        Raises NotFoundError for an unknown raid.
        """
        found = [raid for raid in self.raids() if raid["raid_id"] == raid_id]
        if not found:
            raise NotFoundError(f"no raid `{raid_id}`", hint="`gamelake raid list` shows the raids there are")
        pulls = self._rows(
            "SELECT * FROM wow.gold.fact_raid_summary WHERE raid_id = $raid ORDER BY pull_started_at, encounter_id",
            {"raid": raid_id},
        )
        for pull in pulls:
            pull["difficulty"] = difficulty_label(pull["difficulty_id"])
            pull["boss_hp_pct"] = 0.0 if pull["outcome"] == "kill" else pull["boss_min_hp_pct"]
        return self._shown(
            {**found[0], "pulls": pulls, "players": self._roster(raid_id), "quality": self._quality(found[0])}
        )

    def _roster(self, raid_id: str) -> list[Row]:
        return self._rows(
            """SELECT player_id AS guid, any_value(name) AS name, any_value(class) AS class, any_value(role) AS role,
                count(*) AS pulls, CAST(sum(damage) AS BIGINT) AS damage, CAST(sum(healing) AS BIGINT) AS healing,
                CAST(sum(absorbs) AS BIGINT) AS absorbs, CAST(sum(deaths) AS BIGINT) AS deaths
            FROM wow.gold.fact_player_raid_stats WHERE raid_id = $raid GROUP BY player_id ORDER BY damage DESC, guid""",
            {"raid": raid_id},
        )

    def _quality(self, raid: Row) -> Row:
        night = {"day": raid["raid_date"], "team": raid["team"]}
        where = "WHERE raid_date = $day AND team = $team"
        lines = self._rows(
            f"""SELECT category, name, CAST(sum(lines) AS BIGINT) AS lines FROM wow.silver.line_accounting {where}
            GROUP BY category, name ORDER BY category, lines DESC, name""",
            night,
        )
        totals: dict[str, int] = {}
        for row in lines:
            totals[row["category"]] = totals.get(row["category"], 0) + row["lines"]
        second = self._rows(
            f"""SELECT boss_name, pull_started_at, recorder, lines FROM wow.silver.pulls {where} AND NOT counted
            ORDER BY pull_started_at, recorder""",
            night,
        )
        logs = self._rows(
            f"SELECT * EXCLUDE (raid_date, team) FROM wow.silver.log_parts {where} ORDER BY log, part", night
        )
        return {
            "lines": lines,
            "totals": totals,
            "total": sum(totals.values()),
            "logs": logs,
            "not_counted": second,
        }

    def attendance(self, team: str | None = None) -> Row:
        """Raids in time order and, per player, the pulls in each (absent raids are left out)."""
        where = "" if team is None else "WHERE team = $team"
        values = {} if team is None else {"team": team}
        rows = self._rows(
            f"""SELECT raid_id, raid_date, player_id AS guid, name, class, role, count(*) AS pulls
            FROM wow.gold.fact_player_raid_stats {where}
            GROUP BY raid_id, raid_date, player_id, name, class, role ORDER BY raid_date, raid_id, guid""",
            values,
        )
        raids = list(dict.fromkeys((row["raid_id"], row["raid_date"]) for row in rows))
        players: dict[str, Row] = {}
        for row in rows:
            player = players.setdefault(row["guid"], {"guid": row["guid"], "raids": {}})
            player |= {"name": row["name"] or player.get("name"), "class": row["class"], "role": row["role"]}
            player["raids"][row["raid_id"]] = player["raids"].get(row["raid_id"], 0) + row["pulls"]
        listed = sorted(
            players.values(), key=lambda player: (-len(player["raids"]), player["name"] or "", player["guid"])
        )
        return self._shown({
            "raids": [{"raid_id": raid, "raid_date": day} for raid, day in raids], "players": listed,
        })  # fmt: skip

    # one pull

    def pull(self, raid_id: str, encounter_id: int, pull_no: int) -> Row:
        """One pull: players, deaths with recaps, phases, timeline.

        Raises NotFoundError when there is no such pull.
        """
        key = {"raid": raid_id, "encounter": encounter_id, "pull": pull_no}
        found = self._rows(f"SELECT * FROM wow.gold.fact_raid_summary WHERE {_PULL}", key)
        if not found:
            problem = f"no pull {pull_no} of encounter {encounter_id} in raid `{raid_id}`"
            raise NotFoundError(problem, hint=f"`gamelake raid report {raid_id}` lists its pulls")
        pull = found[0]
        pull["difficulty"] = difficulty_label(pull["difficulty_id"])
        pull["boss_hp_pct"] = 0.0 if pull["outcome"] == "kill" else pull["boss_min_hp_pct"]
        players = self._rows(
            f"""SELECT * EXCLUDE (raid_date, team, raid_id, encounter_id, pull_no, pull_started_at, duration_ms)
            RENAME (player_id AS guid) FROM wow.gold.fact_player_raid_stats WHERE {_PULL} ORDER BY damage DESC, guid""",
            key,
        )
        deaths = self._deaths(key)
        recaps = self._recaps(key) if deaths else {}
        for death in deaths:
            death["recap"] = recaps.get((death["guid"], death["at_ms"]), [])
        phases = self._rows(
            f"SELECT phase, started_ms, ended_ms, rule, derived FROM wow.silver.phases WHERE {_PULL} ORDER BY phase",
            key,
        )
        return self._shown({
            **pull, "players": players, "deaths": deaths, "phases": phases,
            "timeline": self._timeline(key, pull["duration_ms"]),
        })  # fmt: skip

    def _deaths(self, key: Row) -> list[Row]:
        rows = self._rows(
            f"""SELECT player_id AS guid, player_name AS name, at_ms, killing_source, killing_spell, killing_amount,
                killing_overkill
            FROM wow.gold.fact_deaths WHERE {_PULL} ORDER BY at_ms, guid""",
            key,
        )
        return [
            {
                "guid": row["guid"],
                "name": row["name"],
                "at_ms": row["at_ms"],
                "killing_blow": None
                if row["killing_amount"] is None
                else {
                    "source": row["killing_source"],
                    "spell": row["killing_spell"],
                    "amount": row["killing_amount"],
                    "overkill": row["killing_overkill"],
                },
            }
            for row in rows
        ]

    def _recaps(self, key: Row) -> dict[tuple[str, int], list[Row]]:
        """What struck and healed each of the dead in their last ten seconds, oldest first; by GUID and death's ms."""
        rows = self._rows(
            f"""SELECT deaths.player_id AS guid, deaths.at_ms AS died_ms, events.encounter_ms AS at_ms,
                CASE WHEN events.event_type = 'heal' THEN 'heal' ELSE 'damage' END AS kind,
                events.source_entity_name AS source,
                CASE WHEN events.kind = 'melee' THEN 'Melee' ELSE events.ability_name END AS ability,
                coalesce(events.damage_amount, events.effective) AS amount, events.absorbed, events.overkill,
                events.overheal,
                CASE WHEN events.target_max_hp > 0
                    THEN round(100.0 * events.target_hp / events.target_max_hp, 1) END AS hp_pct
            FROM (SELECT * FROM wow.gold.fact_deaths WHERE {_PULL}) AS deaths
            INNER JOIN (SELECT * FROM wow.silver.events WHERE {_PULL} AND target_is_player
                AND event_type IN ('combat_damage', 'heal')) AS events
                ON events.target_entity_id = deaths.player_id
                    AND events.encounter_ms BETWEEN deaths.at_ms - {RECAP_MS} AND deaths.at_ms
            ORDER BY events.event_no""",
            key,
        )
        recaps: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            recaps.setdefault((row.pop("guid"), row.pop("died_ms")), []).append(row)
        return recaps

    def _timeline(self, key: Row, duration_ms: int) -> Row:
        """Damage, healing (with absorbs) and damage taken per bucket; the boss's health at its end, percent."""
        bucket = max(1000, -(-duration_ms // TIMELINE_POINTS // 1000) * 1000)
        count = max(1, -(-max(duration_ms, 1) // bucket))
        rows = self._rows(
            f"""SELECT least(encounter_ms // {bucket}, {count - 1}) AS bucket,
                CAST(sum(CASE WHEN {_DONE} AND source_player_id IS NOT NULL THEN damage_amount END) AS BIGINT) AS damage,
                CAST(sum(CASE WHEN event_type = 'heal' AND source_player_id IS NOT NULL THEN effective END)
                    AS BIGINT) AS healing,
                CAST(sum(CASE WHEN {_DONE} AND target_is_player THEN damage_amount END) AS BIGINT) AS taken
            FROM wow.silver.events WHERE {_PULL} AND encounter_ms >= 0 GROUP BY bucket""",
            key,
        )
        boss = self._rows(
            f"""SELECT least(events.encounter_ms // {bucket}, {count - 1}) AS bucket,
                arg_max(100.0 * events.target_hp / events.target_max_hp, events.event_no) AS hp
            FROM wow.silver.events AS events
            INNER JOIN wow.silver.pulls AS pulls ON pulls.counted AND pulls.raid_id = events.raid_id
                AND pulls.encounter_id = events.encounter_id AND pulls.pull_started_at = events.pull_started_at
            WHERE events.raid_id = $raid AND events.encounter_id = $encounter AND events.pull_no = $pull
                AND events.target_entity_id = pulls.boss_id AND events.target_max_hp > 0 AND events.encounter_ms >= 0
            GROUP BY bucket""",
            key,
        )
        series: Row = {name: [0] * count for name in ("damage", "healing", "taken")}
        for row in rows:
            for name in ("damage", "healing", "taken"):
                series[name][row["bucket"]] = row[name] or 0
        health: list[float | None] = [None] * count
        for row in boss:
            health[row["bucket"]] = round(row["hp"], 2)
        return {"bucket_ms": bucket, **series, "boss_hp": health}

    def breakdown(self, raid_id: str, encounter_id: int, pull_no: int, guid: str, metric: str) -> Row:
        """Abilities and targets (of damage taken: sources) behind one player's number, largest first.

        `metric` is one of METRICS; `healing` holds absorbs as abilities of their own. With pseudonyms the GUID asked
        for is the one shown. Raises NotFoundError for an unknown metric or player.
        """
        if metric not in METRICS:
            raise NotFoundError(f"no break-down by `{metric}`, expected one of: {', '.join(METRICS)}")
        key = {"raid": raid_id, "encounter": encounter_id, "pull": pull_no, "guid": self._real(guid)}
        rules = {
            "damage": (f"{_DONE} AND source_player_id = $guid", "damage_amount", "target_entity_name"),
            "healing": (
                "event_type = 'heal' AND source_player_id = $guid",
                "effective",
                "target_entity_name",
            ),
            "taken": (f"{_DONE} AND target_entity_id = $guid", "damage_amount", "source_entity_name"),
        }
        where, amount, other = rules[metric]
        abilities = self._rows(
            f"""SELECT CASE WHEN kind = 'melee' THEN 'Melee' ELSE ability_name END AS ability,
                CASE WHEN kind = 'melee' THEN 0 ELSE ability_id END AS ability_id, any_value(ability_school) AS school,
                CASE WHEN source_entity_id <> source_player_id THEN source_entity_name END AS pet,
                kind = 'absorb' AS absorb, CAST(sum({amount}) AS BIGINT) AS amount, count(*) AS hits,
                CAST(sum(overheal) AS BIGINT) AS overheal,
                count(CASE WHEN is_critical_hit THEN 1 END) AS critical, max({amount}) AS largest
            FROM wow.silver.events WHERE {_PULL} AND {where}
            GROUP BY ALL ORDER BY amount DESC, ability""",
            key,
        )
        for row in abilities:
            row["school"] = school_label(row["school"] or 0)
        others = self._rows(
            f"""SELECT coalesce({other}, 'Environment') AS name, CAST(sum({amount}) AS BIGINT) AS amount, count(*) AS hits
            FROM wow.silver.events WHERE {_PULL} AND {where} GROUP BY ALL ORDER BY amount DESC, name""",
            key,
        )
        return self._shown({"guid": key["guid"], "metric": metric, "abilities": abilities, "others": others})

    def casts(self, raid_id: str, encounter_id: int, pull_no: int, guid: str) -> list[Row]:
        """Casts of one player in time order."""
        key = {"raid": raid_id, "encounter": encounter_id, "pull": pull_no, "guid": self._real(guid)}
        return self._shown(self._rows(
            f"""SELECT encounter_ms AS at_ms, ability_name AS ability, ability_id, target_entity_name AS target
            FROM wow.silver.events WHERE {_PULL} AND event_type = 'spell_cast' AND source_entity_id = $guid
            ORDER BY event_no""",
            key,
        ))  # fmt: skip

    # help

    def _rows(self, sql: str, values: Row | None = None) -> list[Row]:
        rows: list[Row] = self._connection.sql(sql, params=values or None).to_arrow_table().to_pylist()
        return rows

    def _names(self) -> dict[str, str]:
        if self._table is None:
            players = self._rows(
                "SELECT player_id, any_value(player_name) AS name FROM wow.silver.combatants GROUP BY 1"
            )
            met = self._rows(
                """SELECT DISTINCT target_entity_id AS player_id, target_entity_name AS name FROM wow.silver.events
                WHERE target_is_player
                UNION SELECT DISTINCT source_player_id, source_player_name FROM wow.silver.events
                WHERE source_player_id IS NOT NULL"""
            )
            pets = self._rows(
                """SELECT DISTINCT source_entity_name AS pet, source_player_id AS owner FROM wow.silver.events
                WHERE source_entity_id <> source_player_id AND source_entity_id LIKE 'Pet-%'"""
            )
            names = {row["player_id"]: row["name"] for row in [*players, *met]}
            self._table = hiding(names, {row["pet"]: row["owner"] for row in pets if row["pet"]})
        return self._table

    def _shown(self, value: T) -> T:
        return cast("T", hide(value, self._names())) if self._pseudonyms else value

    def _real(self, guid: str) -> str:
        if not self._pseudonyms:
            return guid
        return next((real for real, shown in self._names().items() if shown == guid), guid)


def _key(pull: Row) -> Row:
    return {"raid": pull["raid_id"], "encounter": pull["encounter_id"], "pull": pull["pull_no"]}


def _iso(moment: Any) -> str:
    return str(moment.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
