/* ---
description: One row per player
inputSources:
  - {name: pulls, dataset: wow.silver.pulls}
outputs:
  - slice: {raid_date: logDate}
    grain: [player]
    schema:
      raid_date: date
      player: {type: "id<user>", storage: double}
      damage: money
      extra: money<DOLLARS>
      other: day<+7>
      plain: {type: text, storage: int}
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls WHERE raid_date = {{ logDate | day }} GROUP BY raid_date, player
