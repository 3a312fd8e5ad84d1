/* ---
description: Every raid - one night of one team in one instance
inputSources:
  - {name: pulls, dataset: wow.gold.fact_raid_summary}
outputs:
  - mode: snapshot_replace
    grain: [raid_id]
    on_empty: clear
    allow_shrink: 0.0
    schema:
      raid_id: text
      raid_date: date not null
      team: text not null
      instance_id: int not null
      difficulty_id: {type: int, nullable: false, doc: "highest of the night"}
      group_size: {type: int, nullable: false, doc: "largest of the night"}
      started_at: timestamp not null
      ended_at: timestamp not null
      pulls: bigint not null
      kills: bigint not null
      bosses: {type: bigint, nullable: false, doc: "distinct encounters"}
      bosses_killed: bigint not null
      deaths: bigint not null
      fight_ms: {type: bigint, nullable: false, doc: "time spent in pulls"}
--- */
SELECT
  raid_id, min(raid_date) AS raid_date, min(team) AS team, min(instance_id) AS instance_id,
  max(difficulty_id) AS difficulty_id, max(group_size) AS group_size,
  min(pull_started_at) AS started_at,
  max(pull_started_at + to_milliseconds(duration_ms)) AS ended_at,
  count(pull_started_at) AS pulls,
  count(CASE WHEN outcome = 'kill' THEN 1 END) AS kills,
  count(DISTINCT encounter_id) AS bosses,
  count(DISTINCT CASE WHEN outcome = 'kill' THEN encounter_id END) AS bosses_killed,
  sum(deaths) AS deaths, sum(duration_ms) AS fight_ms
FROM pulls
GROUP BY raid_id
