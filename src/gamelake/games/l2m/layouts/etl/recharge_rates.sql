/* ---
description: What was paid in each currency, and the rates it is converted with
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
  - {name: rates, dataset: l2m.bronze.currency_mapping}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
outputs:
  - slice: {ds: logDate}
    grain: [ds, currency]
    on_empty: clear
    schema:
      ds: day<+07:00>
      currency: {type: text, nullable: true}
      month: {type: text, nullable: false, doc: "YYYY-MM, the month of the business day"}
      orders: count not null
      amount: {type: "decimal(18,4)", nullable: false, doc: in the currency itself}
      rate_to_vnd: {type: "decimal(18,6)", doc: null fails the check}
      usd_rate: {type: "decimal(18,6)", doc: VND for one USD; null fails the check}
checks:
  - {name: missing rate, kind: not_null, columns: rate_to_vnd}
  - {name: missing rate of USD, kind: not_null, columns: usd_rate}
  - {name: rates are positive, kind: sql, predicate: "coalesce(rate_to_vnd, 1) > 0 AND coalesce(usd_rate, 1) > 0"}
--- */
WITH paid AS (
  SELECT DISTINCT order_id, currency, amount
  FROM orders
  WHERE {{ business_day('occurred', '+07:00') }} = {{ logDate | day }}
    AND name = 'completed'
    AND game_account_id IS NOT NULL
    AND game_server_id IN (SELECT server_id FROM worlds)
),
summed AS (
  SELECT currency, count(*) AS orders, sum(amount) AS amount FROM paid GROUP BY currency
),
month_rates AS (
  SELECT currency, rate_to_vnd FROM rates WHERE ym = {{ month_text(logDate | day) }}
)
SELECT
  {{ logDate | day }} AS ds, summed.currency, {{ month_text(logDate | day) }} AS month,
  summed.orders, summed.amount, month_rates.rate_to_vnd,
  (SELECT max(rate_to_vnd) FROM month_rates WHERE currency = 'USD') AS usd_rate
FROM summed
LEFT JOIN month_rates ON month_rates.currency = summed.currency
