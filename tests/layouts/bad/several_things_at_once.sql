/* ---
description: One row per player
inputSources:
  - {name: pulls, dataset: pulls}
outputs:
  - slice: [raid_date]
    grain: [playr]
    on_empty: explode
    schema:
      raid_date: date
      player: txt
      damage: bigint not null
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls GROUP BY raid_date, player
