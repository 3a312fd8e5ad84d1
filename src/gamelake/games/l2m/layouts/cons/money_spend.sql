/* ---
description: Diamonds spent, with the user's country and tier
inputSources:
  - {name: moves, dataset: l2m.bronze.money_spend}
  - {name: users, dataset: l2m.bronze.user_profile, current_state: true}
  - {name: revenue, dataset: l2m.gold.cum_rev, slice: {ds: logDate}}
  - {name: vip_tiers, dataset: l2m.bronze.vip_tiers}
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
      country_code: text not null
      vip_level: {type: text, nullable: false, doc: at the end of the day}
checks:
  - {kind: accepted_values, column: country_code, values: [TH, VN, ID, PH, SG, MY, Other, Unknown]}
  - {kind: conservation, column: spend_amount, dataset: l2m.bronze.money_spend}
--- */
WITH tiers AS (
  SELECT user_id, max(user_group) AS tier FROM revenue GROUP BY user_id
),
free AS (
  SELECT max(tier) AS tier FROM vip_tiers WHERE min_usd = 0
)
SELECT
  moves.report_date, moves.user_id, moves.server_id, moves.currency_id, moves.reason_id, moves.spend_amount,
  coalesce(users.country_code, 'Unknown') AS country_code, coalesce(tiers.tier, free.tier) AS vip_level
FROM moves
CROSS JOIN free
LEFT JOIN users ON users.user_id = moves.user_id
LEFT JOIN tiers ON tiers.user_id = moves.user_id
