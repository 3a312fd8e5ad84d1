/* ---
description: One row per player
inputSources:
  - {name: pulls, type: query, table: public.x}
outputs:
  - type: file
    table: public.x
    slice: {raid_date: logDate}
    grain: [player]
    schema:
      raid_date: date
      player: text
      damage: bigint not null
--- */
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pulls WHERE raid_date = {{ logDate | day }} GROUP BY raid_date, player
