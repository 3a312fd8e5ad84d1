/* ---
description: The clan each role was last seen in, by day
inputSources:
  - name: gains
    type: file
    connection: l2m
    path: etl_increase_money/ds={logDate}
    lookahead: late_days
    schema: &row
      log_id: text
      logtime: timestamp
      ds: date
      actor_str3: id<user>
      actor_id: id<role>
      actor_name: text
      actor_world: id<server>
      actor_level: level
      entity_id: id<currency>
      actor_guild: text
      actor_str2: text
  - name: spends
    type: file
    connection: l2m
    path: etl_decrease_money/ds={logDate}
    lookahead: late_days
    schema: *row
  - {name: worlds, dataset: l2m.bronze.worlds}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, user_id, role_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      user_id: id<user>
      role_id: id<role>
      role_level: {type: level, doc: highest of the day's rows with a clan}
      role_name: text
      server_id: id<server> not null
      clan_id: text not null
      clan_name: text
      last_seen: timestamp<utc> not null
      last_log_id: {type: text, nullable: false, doc: which of the rows at `last_seen`}
--- */
-- Money rows of the clan currency; a row without a clan says nothing.
WITH rows_seen AS (
  SELECT logtime, log_id, actor_str3, actor_id, actor_name, actor_world, actor_level, actor_guild, actor_str2
  FROM gains WHERE entity_id = '900000001'
  UNION ALL
  SELECT logtime, log_id, actor_str3, actor_id, actor_name, actor_world, actor_level, actor_guild, actor_str2
  FROM spends WHERE entity_id = '900000001'
),
ranked AS (
  SELECT
    actor_str3 AS user_id, actor_id AS role_id, actor_name AS role_name, actor_world AS server_id,
    actor_guild AS clan_id, actor_str2 AS clan_name, logtime AS last_seen, log_id AS last_log_id,
    max(actor_level) OVER (PARTITION BY actor_str3, actor_id) AS role_level,
    row_number() OVER (PARTITION BY actor_str3, actor_id ORDER BY logtime DESC, log_id DESC) AS age
  FROM rows_seen
  WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }}
    AND actor_str3 IS NOT NULL AND actor_id IS NOT NULL
    AND actor_guild IS NOT NULL AND actor_guild <> '0'
    AND actor_world IN (SELECT server_id FROM worlds)
)
SELECT
  {{ logDate | day }} AS report_date, user_id, role_id, role_level, role_name, server_id, clan_id, clan_name,
  last_seen, last_log_id
FROM ranked
WHERE age = 1
