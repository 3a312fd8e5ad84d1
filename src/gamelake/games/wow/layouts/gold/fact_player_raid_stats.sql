/* ---
description: What each player of the roster did in each pull; zeros for those who never act
inputSources:
  - {name: events, dataset: wow.silver.events}
  - {name: pulls, dataset: wow.silver.pulls}
  - {name: combatants, dataset: wow.silver.combatants}
outputs:
  - slice: [raid_date, team]
    grain: [raid_id, encounter_id, pull_started_at, player_id]
    on_empty: clear
    schema:
      raid_date: date
      team: text
      raid_id: text
      encounter_id: bigint
      pull_no: int not null
      pull_started_at: timestamp
      player_id: text
      name: {type: text, doc: "null when no line names the player"}
      class: text not null
      role: text not null
      spec: text not null
      spec_id: int not null
      damage: {type: bigint, nullable: false, doc: "HP by the player and pets, friendly fire included"}
      damage_events: bigint not null
      pet_damage: bigint not null
      friendly_fire: bigint not null
      healing: {type: bigint, nullable: false, doc: "effective HP, without absorbs"}
      healing_events: bigint not null
      overhealing: bigint not null
      absorbs: {type: bigint, nullable: false, doc: "HP taken by the player's shields"}
      damage_taken: {type: bigint, nullable: false, doc: "without environmental damage"}
      damage_taken_absorbed: bigint not null
      environmental_taken: bigint not null
      split_taken: {type: bigint, nullable: false, doc: "damage redirected to the player"}
      deaths: bigint not null
      casts: bigint not null
      critical_events: bigint not null
      critical_rate: double
      duration_ms: bigint not null
      dps: {type: double, doc: "damage per second of the pull"}
      hps: {type: double, doc: "effective healing per second of the pull"}
      damage_share: {type: double, doc: "of the pull's damage"}
      healing_share: {type: double, doc: "of the pull's effective healing"}
      active_ms: {type: bigint, nullable: false, doc: "sum of the gaps under 5 s between own events"}
checks:
  - {kind: range, column: damage, min: 0}
  - {kind: range, column: damage_share, min: 0, max: 1}
  - {kind: accepted_values, column: role, values: [tank, healer, dps, unknown]}
  - {name: pets_within_damage, kind: sql, predicate: "pet_damage <= damage AND friendly_fire <= damage"}
--- */
WITH done AS (
  SELECT
    raid_id, encounter_id, pull_started_at, source_player_id AS player_id,
    sum(CASE WHEN event_type = 'combat_damage' AND kind IN ('spell', 'periodic', 'range', 'melee')
      THEN damage_amount END) AS damage,
    count(CASE WHEN event_type = 'combat_damage' AND kind IN ('spell', 'periodic', 'range', 'melee')
      THEN 1 END) AS damage_events,
    sum(CASE WHEN event_type = 'combat_damage' AND kind IN ('spell', 'periodic', 'range', 'melee')
      AND source_entity_id <> source_player_id THEN damage_amount END) AS pet_damage,
    sum(CASE WHEN event_type = 'combat_damage' AND kind IN ('spell', 'periodic', 'range', 'melee')
      AND (target_flags & 64) = 0 THEN damage_amount END) AS friendly_fire,
    count(CASE WHEN event_type = 'combat_damage' AND kind IN ('spell', 'periodic', 'range', 'melee')
      AND is_critical_hit THEN 1 END) AS critical_events,
    sum(CASE WHEN event_type = 'heal' AND kind <> 'absorb' THEN effective END) AS healing,
    count(CASE WHEN event_type = 'heal' AND kind <> 'absorb' THEN 1 END) AS healing_events,
    sum(CASE WHEN event_type = 'heal' AND kind <> 'absorb' THEN overheal END) AS overhealing,
    sum(CASE WHEN event_type = 'heal' AND kind = 'absorb' THEN effective END) AS absorbs,
    count(CASE WHEN event_type = 'spell_cast' AND source_entity_id = source_player_id THEN 1 END) AS casts
  FROM events
  WHERE raid_id IS NOT NULL AND source_player_id IS NOT NULL
  GROUP BY raid_id, encounter_id, pull_started_at, source_player_id
),
taken AS (
  SELECT
    raid_id, encounter_id, pull_started_at, target_entity_id AS player_id,
    sum(CASE WHEN kind IN ('spell', 'periodic', 'range', 'melee') THEN damage_amount END) AS damage_taken,
    sum(CASE WHEN kind IN ('spell', 'periodic', 'range', 'melee') THEN absorbed END) AS damage_taken_absorbed,
    sum(CASE WHEN kind = 'environmental' THEN damage_amount END) AS environmental_taken,
    sum(CASE WHEN kind = 'split' THEN damage_amount END) AS split_taken,
    count(CASE WHEN event_type = 'player_death' THEN 1 END) AS deaths
  FROM events
  WHERE raid_id IS NOT NULL AND target_is_player AND event_type IN ('combat_damage', 'player_death')
  GROUP BY raid_id, encounter_id, pull_started_at, target_entity_id
),
facts AS (
  SELECT
    combatants.raid_date, combatants.team, combatants.raid_id, combatants.encounter_id, combatants.pull_no,
    combatants.pull_started_at, combatants.player_id, combatants.player_name AS name, combatants.class,
    combatants.role, combatants.spec, combatants.spec_id,
    coalesce(done.damage, 0) AS damage, coalesce(done.damage_events, 0) AS damage_events,
    coalesce(done.pet_damage, 0) AS pet_damage, coalesce(done.friendly_fire, 0) AS friendly_fire,
    coalesce(done.healing, 0) AS healing, coalesce(done.healing_events, 0) AS healing_events,
    coalesce(done.overhealing, 0) AS overhealing, coalesce(done.absorbs, 0) AS absorbs,
    coalesce(taken.damage_taken, 0) AS damage_taken,
    coalesce(taken.damage_taken_absorbed, 0) AS damage_taken_absorbed,
    coalesce(taken.environmental_taken, 0) AS environmental_taken,
    coalesce(taken.split_taken, 0) AS split_taken, coalesce(taken.deaths, 0) AS deaths,
    coalesce(done.casts, 0) AS casts, coalesce(done.critical_events, 0) AS critical_events,
    pulls.duration_ms, coalesce(combatants.active_ms, 0) AS active_ms
  FROM combatants
  INNER JOIN pulls
    ON pulls.counted AND pulls.raid_id = combatants.raid_id AND pulls.encounter_id = combatants.encounter_id
      AND pulls.pull_started_at = combatants.pull_started_at
  LEFT JOIN done
    ON done.raid_id = combatants.raid_id AND done.encounter_id = combatants.encounter_id
      AND done.pull_started_at = combatants.pull_started_at AND done.player_id = combatants.player_id
  LEFT JOIN taken
    ON taken.raid_id = combatants.raid_id AND taken.encounter_id = combatants.encounter_id
      AND taken.pull_started_at = combatants.pull_started_at AND taken.player_id = combatants.player_id
)
SELECT
  *,
  CASE WHEN damage_events > 0 THEN critical_events * 1.0 / damage_events END AS critical_rate,
  CASE WHEN duration_ms > 0 THEN damage * 1000.0 / duration_ms END AS dps,
  CASE WHEN duration_ms > 0 THEN healing * 1000.0 / duration_ms END AS hps,
  damage * 1.0 / nullif(sum(damage) OVER (PARTITION BY raid_id, encounter_id, pull_started_at), 0) AS damage_share,
  healing * 1.0 / nullif(sum(healing) OVER (PARTITION BY raid_id, encounter_id, pull_started_at), 0) AS healing_share
FROM facts
