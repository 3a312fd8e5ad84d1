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
checks:
  - {kind: range, column: damge, min: 0}
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls GROUP BY raid_date, player
