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
  - {kind: range, column: damage}
  - {kind: range, column: damage, min: 5, max: 1}
  - {kind: range, column: damage, tolerance: {shre: 0.1}, min: 0}
  - {kind: not_null, columns: player, tolerance: {share: 0.1, amount: 3}}
  - {kind: row_count, min: 1, min_ratio: 0.5}
  - {kind: row_count, min: 1, previous: 7}
  - {kind: freshness, column: raid_date, max_age: 36 hours}
  - {kind: relationship, columns: [player], dataset: dim_player}
  - {kind: relationship, columns: [player], to: [a, b], dataset: wow.gold.dim_player}
  - {kind: balance, gain: damage, spend: damage, balance: damage}
  - {kind: balance, gain: damage, spend: damage, balance: damage, opening: damage, order: [damage]}
  - {kind: conservation, column: damage, dataset: wow.gold.x, tolerance: -1}
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls GROUP BY raid_date, player
