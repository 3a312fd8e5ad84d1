/* ---
description: Every gain and spending of money with the balance after it, so that balances can be judged
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
      actor_world: id<server>
      entity_id: id<currency>
      use_num2: bigint
      new_num1: bigint
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
    grain: [log_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      log_id: text
      logtime: timestamp<utc> not null
      user_id: id<user> not null
      server_id: id<server> not null
      currency_id: {type: id<currency>, nullable: false}
      gained: bigint not null
      spent: bigint not null
      balance: {type: bigint, doc: after the move}
checks:
  - name: gains and spendings explain the balance
    kind: balance
    gain: gained
    spend: spent
    balance: balance
    key: [user_id, server_id, currency_id]
    order: [logtime, log_id]
    severity: warn
  - {name: no balance is negative, kind: range, column: balance, min: 0, severity: warn}
--- */
WITH moves AS (
  SELECT
    logtime, log_id, actor_str3, actor_world, entity_id, coalesce(use_num2, 0) AS gained, 0 AS spent, new_num1
  FROM gains
  UNION ALL
  SELECT logtime, log_id, actor_str3, actor_world, entity_id, 0, coalesce(use_num2, 0), new_num1
  FROM spends
)
SELECT DISTINCT
  {{ logDate | day }} AS report_date, log_id, logtime, actor_str3 AS user_id, actor_world AS server_id,
  entity_id AS currency_id, gained, spent, new_num1 AS balance
FROM moves
WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }}
  AND actor_str3 IS NOT NULL AND entity_id IS NOT NULL
  AND actor_world IN (SELECT server_id FROM worlds)
