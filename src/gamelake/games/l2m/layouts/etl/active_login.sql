/* ---
description: Who logged in where, at which level
inputSources:
  - name: logins
    type: file
    connection: l2m
    path: etl_login/ds={logDate}
    lookahead: late_days
    schema: {log_id: text, logtime: timestamp, ds: date, actor_str3: id<user>, actor_world: id<server>, actor_level: level}
  - {name: worlds, dataset: l2m.bronze.worlds}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
outputs:
  - slice: {active_date: logDate}
    grain: [active_date, user_id, server_id]
    on_empty: clear
    schema:
      active_date: day<+07:00>
      user_id: id<user>
      server_id: id<server>
      level: {type: level, doc: highest of the day; null when no row tells}
checks:
  - {name: rows against the last seven days, kind: row_count, min_ratio: 0.5, max_ratio: 2, previous: 7, severity: warn}
--- */
SELECT
  {{ logDate | day }} AS active_date, actor_str3 AS user_id, actor_world AS server_id, max(actor_level) AS level
FROM logins
WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }}
  AND actor_str3 IS NOT NULL
  AND actor_world IN (SELECT server_id FROM worlds)
GROUP BY actor_str3, actor_world
