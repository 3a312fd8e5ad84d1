/* ---
description: Each death of a player, with the blow that killed
inputSources:
  - {name: events, dataset: wow.silver.events}
outputs:
  - slice: [raid_date, team]
    grain: [event_id]
    on_empty: clear
    schema:
      raid_date: date
      team: text
      event_id: uuid
      raid_id: text not null
      encounter_id: bigint not null
      pull_no: int not null
      pull_started_at: timestamp not null
      player_id: text not null
      player_name: text
      at_ms: {type: bigint, doc: "ms since the pull began"}
      killing_source: {type: text, doc: "name of the unit that struck; null for falls and the like"}
      killing_spell: text
      killing_amount: {type: bigint, doc: "HP, overkill included"}
      killing_overkill: bigint
checks:
  - {name: blow_within_two_seconds, kind: sql, predicate: "killing_amount IS NULL OR killing_amount >= 0"}
--- */
-- The killing blow is the last damage with overkill within two seconds before the death. A fall logs overkill 0
-- also when it does not kill, so environmental damage counts only when it leaves no health.
WITH deaths AS (
  SELECT
    raid_date, team, event_id, event_no, timestamp, raid_id, encounter_id, pull_no, pull_started_at,
    target_entity_id AS player_id, target_entity_name AS player_name, encounter_ms AS at_ms
  FROM events
  WHERE event_type = 'player_death' AND raid_id IS NOT NULL
),
blows AS (
  SELECT
    event_no, timestamp, raid_id, target_entity_id AS player_id, source_entity_name AS source,
    CASE WHEN kind = 'melee' THEN 'Melee' ELSE ability_name END AS spell, damage_amount, overkill
  FROM events
  WHERE event_type = 'combat_damage' AND target_is_player AND overkill >= 0
    AND (kind <> 'environmental' OR target_hp = 0)
),
paired AS (
  SELECT
    deaths.event_id AS death_id, blows.source, blows.spell, blows.damage_amount, blows.overkill,
    row_number() OVER (PARTITION BY deaths.event_id ORDER BY blows.event_no DESC) AS nearest
  FROM deaths
  INNER JOIN blows
    ON blows.player_id = deaths.player_id
      AND blows.raid_id = deaths.raid_id
      AND blows.event_no < deaths.event_no
      AND blows.timestamp BETWEEN deaths.timestamp - INTERVAL 2 SECOND AND deaths.timestamp
)
SELECT
  deaths.raid_date, deaths.team, deaths.event_id, deaths.raid_id, deaths.encounter_id, deaths.pull_no,
  deaths.pull_started_at, deaths.player_id, deaths.player_name, deaths.at_ms,
  paired.source AS killing_source, paired.spell AS killing_spell,
  paired.damage_amount AS killing_amount, paired.overkill AS killing_overkill
FROM deaths
LEFT JOIN paired ON paired.death_id = deaths.event_id AND paired.nearest = 1
