/* ---
description: Highest level of each user over all item rows of the day, for farmer rule B
inputSources:
  - name: gains
    type: file
    connection: l2m
    path: etl_increase_item/ds={logDate}
    lookahead: late_days
    schema: {logtime: timestamp, ds: date, actor_str3: id<user>, actor_world: id<server>, actor_level: level}
  - name: spends
    type: file
    connection: l2m
    path: etl_decrease_item/ds={logDate}
    lookahead: late_days
    schema: {logtime: timestamp, ds: date, actor_str3: id<user>, actor_world: id<server>, actor_level: level}
  - {name: worlds, dataset: l2m.bronze.worlds}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, user_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      user_id: id<user>
      level: level not null
--- */
-- All items, not only the key ones. Levels nobody knows say nothing.
WITH seen AS (
  SELECT logtime, actor_str3, actor_world, actor_level FROM gains
  UNION ALL
  SELECT logtime, actor_str3, actor_world, actor_level FROM spends
)
SELECT {{ logDate | day }} AS report_date, actor_str3 AS user_id, max(actor_level) AS level
FROM seen
WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }}
  AND actor_str3 IS NOT NULL
  AND actor_level IS NOT NULL
  AND actor_world IN (SELECT server_id FROM worlds)
GROUP BY actor_str3
