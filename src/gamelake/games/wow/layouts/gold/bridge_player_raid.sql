/* ---
description: Which player was in which raid, from when to when
inputSources:
  - {name: combatants, dataset: wow.silver.combatants}
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: [raid_date, team]
    grain: [raid_date, team, raid_id, player_id]
    on_empty: clear
    schema:
      raid_date: date
      team: text
      raid_id: text
      player_id: text
      first_ts: timestamp not null
      last_ts: timestamp not null
      pulls: bigint not null
--- */
SELECT
  combatants.raid_date, combatants.team, combatants.raid_id, combatants.player_id,
  min(pulls.pull_started_at) AS first_ts, max(pulls.ended_at) AS last_ts,
  count(DISTINCT CASE WHEN combatants.listed THEN combatants.pull_started_at END) AS pulls
FROM combatants
INNER JOIN pulls
  ON pulls.counted AND pulls.raid_id = combatants.raid_id AND pulls.encounter_id = combatants.encounter_id
    AND pulls.pull_started_at = combatants.pull_started_at
GROUP BY combatants.raid_date, combatants.team, combatants.raid_id, combatants.player_id
