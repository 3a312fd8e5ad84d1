/* ---
description: One row per player
inputSource:
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: [raid_date]
    grian: [player]
    schemas:
      raid_date: date
      player: text
      damage: bigint not null
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls GROUP BY raid_date, player
