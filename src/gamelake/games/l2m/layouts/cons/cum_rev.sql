/* ---
description: Revenue of each user and server up to the day, and the tier the user's total reaches
inputSources:
  - {name: recharge, dataset: l2m.bronze.recharge}
  - {name: vip_tiers, dataset: l2m.bronze.vip_tiers}
variables:
  first_day: {type: date, default: 0001-01-01, doc: the chain starts on this day or with the first recharges}
outputs:
  - slice: {ds: logDate}
    grain: [ds, user_id, server_id]
    on_empty: clear
    schema:
      ds: day<+07:00>
      user_id: id<user>
      server_id: id<server>
      total_rev_usd: money<USD> not null
      user_group: {type: text, nullable: false, doc: tier of the user by the total over all servers}
carries: {first: first_day, gaps: fail}
--- */
-- Today is summed over payment methods before it meets yesterday: a join of unsummed rows would repeat yesterday's
-- total for each method.
WITH parts AS (
  SELECT user_id, server_id, total_rev_usd AS usd FROM previous
  UNION ALL
  SELECT user_id, server_id, daily_rev_usd FROM recharge
),
totals AS (
  SELECT user_id, server_id, sum(usd) AS total_rev_usd FROM parts GROUP BY user_id, server_id
),
users AS (
  SELECT user_id, sum(total_rev_usd) AS usd FROM totals GROUP BY user_id
),
bands AS (
  SELECT tier, min_usd, lead(min_usd) OVER (ORDER BY min_usd) AS below FROM vip_tiers
),
tiers AS (
  SELECT users.user_id, max(bands.tier) AS tier
  FROM users
  INNER JOIN bands ON users.usd >= bands.min_usd AND (bands.below IS NULL OR users.usd < bands.below)
  GROUP BY users.user_id
)
SELECT
  {{ logDate | day }} AS ds, totals.user_id, totals.server_id, totals.total_rev_usd, tiers.tier AS user_group
FROM totals
LEFT JOIN tiers ON tiers.user_id = totals.user_id
