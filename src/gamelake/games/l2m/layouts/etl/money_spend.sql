/* ---
description: Diamonds spent, by reason
inputSources:
  - name: moves
    type: file
    connection: l2m
    path: etl_decrease_money/ds={logDate}
    lookahead: late_days
    schema:
      log_id: text
      logtime: timestamp
      ds: date
      actor_str3: id<user>
      actor_world: id<server>
      entity_id: id<currency>
      log_detail_code: text
      use_num2: bigint
  - {name: worlds, dataset: l2m.bronze.worlds}
  - {name: diamonds, dataset: l2m.bronze.diamonds}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, user_id, server_id, currency_id, reason_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      user_id: id<user>
      server_id: id<server>
      currency_id: id<currency>
      reason_id: {type: text, nullable: true}
      spend_amount: count not null
checks:
  - {kind: range, column: spend_amount, min: 0}
  - {name: rows against the last seven days, kind: row_count, min_ratio: 0.5, max_ratio: 2, previous: 7, severity: warn}
--- */
WITH moved AS (
  SELECT DISTINCT
    log_id, actor_str3 AS user_id, actor_world AS server_id, entity_id AS currency_id, log_detail_code AS reason_id,
    use_num2 AS amount
  FROM moves
  WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }}
    AND actor_str3 IS NOT NULL
    AND actor_world IN (SELECT server_id FROM worlds)
    AND entity_id IN (SELECT currency_id FROM diamonds)
)
SELECT
  {{ logDate | day }} AS report_date, user_id, server_id, currency_id, reason_id,
  coalesce(sum(amount), 0) AS spend_amount
FROM moved
GROUP BY user_id, server_id, currency_id, reason_id
