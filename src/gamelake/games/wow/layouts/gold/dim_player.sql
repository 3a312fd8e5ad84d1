/* ---
description: Every player, latest name, class and role (SCD1); raids and pulls counted once however often imported
inputSources:
  - {name: bridge, dataset: wow.gold.bridge_player_raid}
  - {name: players, dataset: wow.gold.fact_player_raid_stats}
outputs:
  - mode: snapshot_replace
    grain: [player_id]
    on_empty: clear
    allow_shrink: 0.0
    schema:
      player_id: text
      name: text
      class: text not null
      role: text not null
      spec_id: int not null
      first_seen: timestamp not null
      last_seen: timestamp not null
      total_raids: {type: bigint, nullable: false, doc: "distinct raids"}
      total_pulls: {type: bigint, nullable: false, doc: "distinct pulls with a COMBATANT_INFO of the player"}
checks:
  - {kind: range, column: total_raids, min: 1}
  - {kind: range, column: total_pulls, min: 0}
--- */
WITH seen AS (
  SELECT player_id, min(first_ts) AS first_seen, max(last_ts) AS last_seen,
    count(DISTINCT raid_id) AS total_raids, sum(pulls) AS total_pulls
  FROM bridge
  GROUP BY player_id
),
latest AS (
  SELECT
    player_id, name, class, role, spec_id,
    row_number() OVER (PARTITION BY player_id ORDER BY spec_id = 0, pull_started_at DESC, encounter_id) AS age
  FROM players
),
named AS (
  SELECT
    player_id, name,
    row_number() OVER (PARTITION BY player_id ORDER BY pull_started_at DESC, encounter_id) AS age
  FROM players
  WHERE name IS NOT NULL
)
SELECT
  seen.player_id, named.name, latest.class, latest.role, latest.spec_id,
  seen.first_seen, seen.last_seen, seen.total_raids, seen.total_pulls
FROM seen
INNER JOIN latest ON latest.player_id = seen.player_id AND latest.age = 1
LEFT JOIN named ON named.player_id = seen.player_id AND named.age = 1
