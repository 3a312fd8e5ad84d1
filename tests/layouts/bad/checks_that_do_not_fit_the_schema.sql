/* ---
description: One row per player
inputSources:
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: [player]
    grain: [player]
    schema:
      raid_date: date
      player: text
      damage: bigint not null
checks:
  - {kind: range, column: player, min: 1}
  - {kind: range, column: damage, min: 2026-01-01}
  - {kind: freshness, column: player, max_age: 2d}
  - {kind: row_count, min_ratio: 0.5}
  - {kind: balance, gain: damage, spend: player, balance: damage, key: player}
  - {kind: conservation, column: raid_date, dataset: wow.silver.pulls, by: [plyer]}
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls GROUP BY raid_date, player
