/* ---
description: One row per player
variables:
  since: {type: date, default: monday}
  least: {type: int, default: many}
inputSources:
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: {raid_date: logDate}
    grain: [player]
    schema:
      raid_date: date
      player: text
      damage: bigint not null
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls WHERE raid_date = {{ logDate | day }} GROUP BY raid_date, player
