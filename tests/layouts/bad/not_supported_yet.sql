/* ---
description: One row per player
dialect: trino
strategy: fast
inputSources:
  - {name: pulls, type: jdbc, connection: GDS, query: SELECT 1}
  - {name: more, type: file, path: "s3://x/day={day}", schema: {day: double, x: int}}
outputs:
  - connection: PG
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
