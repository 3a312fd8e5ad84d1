/* ---
description: One row per player
inputSources:
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: [raid_date]
    grain: [player]
    schema:
      raid_date: date
      player: text
      damage: bigint not null
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM (SELECT 1 AS player, 1 AS damage, 1 AS raid_date) GROUP BY raid_date, player
