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
  - {kind: sql, predicate: "damge > 0"}
  - {kind: sql, predicate: "damage >"}
  - {kind: sql, predicate: "player IN (SELECT player FROM pulls)"}
  - {kind: sql, predicate: "sum(damage) > 0"}
  - {kind: sql, predicate: "true); DROP TABLE x; SELECT (1"}
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls GROUP BY raid_date, player
