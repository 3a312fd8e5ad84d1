/* ---
description: Key items spent, by item and reason
inputSources:
  - name: moves
    type: file
    connection: l2m
    path: etl_decrease_item/ds={logDate}
    lookahead: late_days
    schema:
      log_id: text
      logtime: timestamp
      ds: date
      actor_str3: id<user>
      actor_id: id<role>
      actor_world: id<server>
      actor_level: level
      entity_id: id<item>
      log_detail_code: text
      use_num1: bigint
  - {name: worlds, dataset: l2m.bronze.worlds}
  - {name: items, dataset: l2m.bronze.item_catalog}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, user_id, role_id, server_id, role_level, item_id, reason_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      user_id: id<user>
      role_id: {type: id<role>, nullable: true}
      server_id: id<server>
      role_level: {type: level, nullable: true}
      item_id: id<item>
      reason_id: {type: text, nullable: true}
      spend_amount: count not null
checks:
  - {name: every item has a reason, kind: not_null, columns: reason_id, severity: warn}
  - {kind: range, column: spend_amount, min: 0}
  - {name: rows against the last seven days, kind: row_count, min_ratio: 0.5, max_ratio: 2, previous: 7, severity: warn}
--- */
WITH moved AS (
  -- an exact duplicate repeats the log_id, possibly in another day's folder
  SELECT DISTINCT
    log_id, actor_str3 AS user_id, actor_id AS role_id, actor_world AS server_id, actor_level AS role_level,
    entity_id AS item_id, log_detail_code AS reason_id, use_num1 AS amount
  FROM moves
  WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }}
    AND actor_str3 IS NOT NULL
    AND actor_world IN (SELECT server_id FROM worlds)
    AND entity_id IN (SELECT item_id FROM items)
)
SELECT
  {{ logDate | day }} AS report_date, user_id, role_id, server_id, role_level, item_id, reason_id,
  coalesce(sum(amount), 0) AS spend_amount
FROM moved
GROUP BY user_id, role_id, server_id, role_level, item_id, reason_id
