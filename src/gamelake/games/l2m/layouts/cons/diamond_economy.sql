/* ---
description: Where diamonds come from and go to, by reason, and how few hold them
inputSources:
  - {name: gains, dataset: l2m.gold.money_gain}
  - {name: spends, dataset: l2m.gold.money_spend}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, currency_id, reason_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      currency_id: id<currency>
      reason_id: {type: text, nullable: true}
      gained: count not null
      spent: count not null
      faucet: {type: double, doc: gained for the reason for each diamond spent that day}
      sink: {type: double, doc: spent on the reason for each diamond gained that day}
      gaining_users: {type: count, nullable: false, doc: of the currency}
      top_share: {type: double, doc: of the day's gains that went to the luckiest hundredth of these users}
checks:
  - {name: no reason floods the game, kind: range, column: faucet, max: 20, severity: warn}
  - {name: no reason drains the game, kind: range, column: sink, max: 20, severity: warn}
  - name: gains are spread
    kind: sql
    predicate: gaining_users < 100 OR top_share <= 0.5
    severity: warn
--- */
WITH moves AS (
  SELECT currency_id, reason_id, gain_amount AS gained, 0 AS spent FROM gains
  UNION ALL
  SELECT currency_id, reason_id, 0, spend_amount FROM spends
),
reasons AS (
  SELECT currency_id, reason_id, sum(gained) AS gained, sum(spent) AS spent FROM moves GROUP BY currency_id, reason_id
),
totals AS (
  SELECT currency_id, sum(gained) AS gained, sum(spent) AS spent FROM moves GROUP BY currency_id
),
users AS (
  SELECT currency_id, user_id, sum(gain_amount) AS gained FROM gains GROUP BY currency_id, user_id
),
ranked AS (
  SELECT
    currency_id, gained,
    row_number() OVER (PARTITION BY currency_id ORDER BY gained DESC, user_id) AS place,
    count(*) OVER (PARTITION BY currency_id) AS users
  FROM users
),
top AS (
  SELECT
    currency_id, max(users) AS users, sum(gained) AS gained,
    sum(CASE WHEN place * 100 < users + 100 THEN gained ELSE 0 END) AS gained_by_few
  FROM ranked
  GROUP BY currency_id
)
SELECT
  {{ logDate | day }} AS report_date, reasons.currency_id, reasons.reason_id, reasons.gained, reasons.spent,
  {{ ratio('reasons.gained', 'totals.spent') }} AS faucet, {{ ratio('reasons.spent', 'totals.gained') }} AS sink,
  coalesce(top.users, 0) AS gaining_users, {{ ratio('top.gained_by_few', 'top.gained') }} AS top_share
FROM reasons
INNER JOIN totals ON totals.currency_id = reasons.currency_id
LEFT JOIN top ON top.currency_id = reasons.currency_id
