/* ---
description: Revenue of each user, server and payment method
inputSources:
  - name: orders
    type: file
    connection: l2m
    path: etl_recharge/ds={logDate}
    lookahead: late_days
    schema:
      order_id: text
      occurred: timestamp
      ds: date
      game_account_id: id<user>
      game_server_id: id<server>
      pg_id: text
      currency: text
      amount: decimal(18,4)
      name: text
  - {name: worlds, dataset: l2m.bronze.worlds}
  - {name: rates, dataset: l2m.bronze.recharge_rates}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
outputs:
  - slice: {ds: logDate}
    grain: [ds, user_id, server_id, pmc]
    on_empty: clear
    schema:
      ds: day<+07:00>
      user_id: id<user>
      server_id: id<server>
      pmc: {type: text, doc: how it was paid}
      amount: money<VND> not null
      daily_rev_usd: money<USD> not null
checks:
  - {kind: accepted_values, column: pmc, values: [Web, IAP]}
  - {kind: range, column: daily_rev_usd, min: 0}
  - {name: rows against the last seven days, kind: row_count, min_ratio: 0.5, max_ratio: 2, previous: 7, severity: warn}
--- */
-- A currency without a rate stops `recharge_rates`, and with it this slice: no amount is dropped here.
WITH paid AS (
  SELECT DISTINCT
    order_id, game_account_id AS user_id, game_server_id AS server_id,
    CASE WHEN pg_id = '25' THEN 'Web' ELSE 'IAP' END AS pmc, currency, amount
  FROM orders
  WHERE {{ business_day('occurred', '+07:00') }} = {{ logDate | day }}
    AND name = 'completed'
    AND game_account_id IS NOT NULL
    AND game_server_id IN (SELECT server_id FROM worlds)
),
converted AS (
  SELECT
    paid.user_id, paid.server_id, paid.pmc, rates.usd_rate,
    {{ money_times('paid.amount', 'rates.rate_to_vnd') }} AS vnd
  FROM paid
  INNER JOIN rates ON rates.currency = paid.currency
),
summed AS (
  SELECT user_id, server_id, pmc, max(usd_rate) AS usd_rate, sum(vnd) AS amount
  FROM converted
  GROUP BY user_id, server_id, pmc
)
SELECT
  {{ logDate | day }} AS ds, user_id, server_id, pmc, amount,
  {{ money_div('amount', 'usd_rate') }} AS daily_rev_usd
FROM summed
