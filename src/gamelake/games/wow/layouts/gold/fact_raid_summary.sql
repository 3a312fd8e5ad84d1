/* ---
description: One row per pull - totals, composition, outcome
inputSources:
  - {name: players, dataset: wow.gold.fact_player_raid_stats}
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: [raid_date, team]
    grain: [raid_id, encounter_id, pull_started_at]
    on_empty: clear
    schema:
      raid_date: date
      team: text
      raid_id: text
      encounter_id: bigint
      pull_no: int not null
      pull_started_at: timestamp
      event_date: {type: date, nullable: false, doc: "UTC day of the start"}
      boss_name: text not null
      difficulty_id: int not null
      group_size: int not null
      instance_id: int not null
      duration_ms: bigint not null
      total_damage: bigint not null
      total_healing: {type: bigint, nullable: false, doc: "effective"}
      overhealing: bigint not null
      absorbs: bigint not null
      damage_taken: bigint not null
      deaths: bigint not null
      n_players: bigint not null
      n_tanks: bigint not null
      n_healers: bigint not null
      n_dps: bigint not null
      raid_dps: double
      raid_hps: double
      boss_min_hp_pct: {type: double, doc: "health of the boss at the end"}
      outcome: {type: text, nullable: false, doc: "kill or wipe"}
      outcome_inferred: {type: bool, nullable: false, doc: "true when the log has no ENCOUNTER_END"}
      conservation_error: double
checks:
  - {kind: accepted_values, column: outcome, values: [kill, wipe]}
  - {kind: range, column: boss_min_hp_pct, min: 0, max: 100, severity: warn}
  - {name: conservation, kind: sql, severity: warn,
     predicate: "conservation_error IS NULL OR abs(conservation_error) <= 0.0001"}
--- */
-- Where the log does not say how a pull ended: a boss at 0 within 360 s is dead, and so is one under 10 % when no
-- more died than stood there.
WITH totals AS (
  SELECT
    raid_id, encounter_id, pull_started_at,
    sum(damage) AS total_damage, sum(healing) AS total_healing, sum(overhealing) AS overhealing,
    sum(absorbs) AS absorbs, sum(damage_taken) AS damage_taken, sum(deaths) AS deaths,
    count(player_id) AS n_players,
    count(CASE WHEN role = 'tank' THEN 1 END) AS n_tanks,
    count(CASE WHEN role = 'healer' THEN 1 END) AS n_healers,
    count(CASE WHEN role = 'dps' THEN 1 END) AS n_dps
  FROM players
  GROUP BY raid_id, encounter_id, pull_started_at
)
SELECT
  pulls.raid_date, pulls.team, pulls.raid_id, pulls.encounter_id, pulls.pull_no, pulls.pull_started_at,
  CAST(pulls.pull_started_at AT TIME ZONE 'UTC' AS DATE) AS event_date,
  pulls.boss_name, pulls.difficulty_id, pulls.group_size, pulls.instance_id, pulls.duration_ms,
  coalesce(totals.total_damage, 0) AS total_damage, coalesce(totals.total_healing, 0) AS total_healing,
  coalesce(totals.overhealing, 0) AS overhealing, coalesce(totals.absorbs, 0) AS absorbs,
  coalesce(totals.damage_taken, 0) AS damage_taken, coalesce(totals.deaths, 0) AS deaths,
  coalesce(totals.n_players, 0) AS n_players, coalesce(totals.n_tanks, 0) AS n_tanks,
  coalesce(totals.n_healers, 0) AS n_healers, coalesce(totals.n_dps, 0) AS n_dps,
  CASE WHEN pulls.duration_ms > 0 THEN coalesce(totals.total_damage, 0) * 1000.0 / pulls.duration_ms END AS raid_dps,
  CASE WHEN pulls.duration_ms > 0 THEN coalesce(totals.total_healing, 0) * 1000.0 / pulls.duration_ms END AS raid_hps,
  pulls.boss_hp_pct AS boss_min_hp_pct,
  CASE
    WHEN pulls.success IS NOT NULL THEN CASE WHEN pulls.success THEN 'kill' ELSE 'wipe' END
    WHEN pulls.boss_hp_pct <= 0 AND pulls.duration_ms <= 360000 THEN 'kill'
    WHEN pulls.boss_hp_pct < 10 AND coalesce(totals.deaths, 0) <= coalesce(totals.n_players, 0) THEN 'kill'
    ELSE 'wipe'
  END AS outcome,
  pulls.success IS NULL AS outcome_inferred,
  pulls.conservation_error
FROM pulls
LEFT JOIN totals
  ON totals.raid_id = pulls.raid_id AND totals.encounter_id = pulls.encounter_id
    AND totals.pull_started_at = pulls.pull_started_at
WHERE pulls.counted
