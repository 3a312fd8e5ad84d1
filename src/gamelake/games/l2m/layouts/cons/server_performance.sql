/* ---
description: Users and revenue of each server and tier
inputSources:
  - {name: active, dataset: l2m.silver.active, slice: {active_date: logDate}}
  - {name: recharge, dataset: l2m.bronze.recharge, slice: {ds: logDate}}
  - {name: revenue, dataset: l2m.gold.cum_rev, slice: {ds: logDate}}
  - {name: roles, dataset: l2m.bronze.role_profile, current_state: true}
  - {name: vip_tiers, dataset: l2m.bronze.vip_tiers}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, server_id, vip_level]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      server_id: id<server>
      vip_level: text
      dau: {type: count, nullable: false, doc: a user counts on each server}
      nru: {type: count, nullable: false, doc: whose first login on this server the day was}
      pu: count not null
      npu: {type: count, nullable: false, doc: payers whose first charge on this server the day was}
      nnpu: {type: count, nullable: false, doc: "of these, whose first login here the day was"}
      rev_usd: {type: "money<USD>", nullable: false, doc: paid on this server}
      rev_npu: money<USD> not null
      rev_nnpu: money<USD> not null
      arpu: {type: "money<USD>", doc: rev_usd for each of dau}
      arppu: {type: "money<USD>", doc: rev_usd for each of pu; null without payers}
checks:
  - {name: payers are active, kind: sql, predicate: "dau >= pu AND pu >= npu AND npu >= nnpu AND dau >= nru"}
  - {name: servers add up to the day, kind: conservation, column: rev_usd, dataset: l2m.gold.daily_kpi}
--- */
-- First days are the earliest ones of the user's roles on the server.
WITH paid AS (
  SELECT user_id, server_id, sum(daily_rev_usd) AS usd FROM recharge GROUP BY user_id, server_id
),
first_days AS (
  SELECT user_id, server_id, min(first_login) AS first_login, min(first_charge) AS first_charge
  FROM roles
  GROUP BY user_id, server_id
),
tiers AS (
  SELECT user_id, max(user_group) AS tier FROM revenue GROUP BY user_id
),
free AS (
  SELECT max(tier) AS tier FROM vip_tiers WHERE min_usd = 0
),
facts AS (
  SELECT
    active.server_id, coalesce(tiers.tier, free.tier) AS vip_level, paid.user_id IS NOT NULL AS pays, paid.usd,
    coalesce(first_days.first_login = {{ logDate | day }}, FALSE) AS is_new,
    coalesce(first_days.first_charge = {{ logDate | day }}, FALSE) AS pays_first
  FROM active
  CROSS JOIN free
  LEFT JOIN paid ON paid.user_id = active.user_id AND paid.server_id = active.server_id
  LEFT JOIN first_days ON first_days.user_id = active.user_id AND first_days.server_id = active.server_id
  LEFT JOIN tiers ON tiers.user_id = active.user_id
),
counted AS (
  SELECT
    server_id, vip_level, count(*) AS dau,
    count(CASE WHEN is_new THEN 1 END) AS nru,
    count(CASE WHEN pays THEN 1 END) AS pu,
    count(CASE WHEN pays AND pays_first THEN 1 END) AS npu,
    count(CASE WHEN pays AND pays_first AND is_new THEN 1 END) AS nnpu,
    coalesce(sum(usd), 0) AS rev_usd,
    coalesce(sum(CASE WHEN pays_first THEN usd END), 0) AS rev_npu,
    coalesce(sum(CASE WHEN pays_first AND is_new THEN usd END), 0) AS rev_nnpu
  FROM facts
  GROUP BY server_id, vip_level
)
SELECT
  {{ logDate | day }} AS report_date, server_id, vip_level, dau, nru, pu, npu, nnpu, rev_usd, rev_npu, rev_nnpu,
  {{ money_div('rev_usd', 'dau') }} AS arpu, {{ money_div('rev_usd', 'pu') }} AS arppu
FROM counted
