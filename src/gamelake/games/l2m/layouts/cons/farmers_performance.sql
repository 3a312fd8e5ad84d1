/* ---
description: Users and revenue of farmers and of everybody else
inputSources:
  - {name: active, dataset: l2m.silver.active, slice: {active_date: logDate}}
  - {name: recharge, dataset: l2m.bronze.recharge, slice: {ds: logDate}}
  - {name: farmers, dataset: l2m.gold.farmers_snapshot, slice: {snapshot_date: logDate}}
  - {name: users, dataset: l2m.bronze.user_profile, current_state: true}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, user_type, first_login_date, server_id, country_code, platform]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      user_type: text
      first_login_date: {type: "day<+07:00>", nullable: true, doc: of the user profile}
      server_id: id<server>
      country_code: text
      platform: {type: text, nullable: true}
      dau: count not null
      nru: count not null
      pu: count not null
      npu: count not null
      nnpu: count not null
      rev_usd: {type: "money<USD>", nullable: false, doc: paid on this server}
      rev_nru: money<USD> not null
      rev_npu: money<USD> not null
      rev_nnpu: money<USD> not null
checks:
  - {kind: accepted_values, column: user_type, values: [PU Farmer, Non-PU Farmer, Normal]}
  - {name: kinds of users add up to the day, kind: conservation, column: rev_usd, dataset: l2m.gold.daily_kpi}
--- */
-- The verdicts of the same day: those of the day before would call new farmers normal.
WITH paid AS (
  SELECT user_id, server_id, sum(daily_rev_usd) AS usd FROM recharge GROUP BY user_id, server_id
),
facts AS (
  SELECT
    coalesce(farmers.user_type, 'Normal') AS user_type, users.first_login AS first_login_date, active.server_id,
    coalesce(users.country_code, 'Unknown') AS country_code, users.platform, paid.user_id IS NOT NULL AS pays,
    paid.usd,
    coalesce(users.first_login = {{ logDate | day }}, FALSE) AS is_new,
    coalesce(users.first_charge = {{ logDate | day }}, FALSE) AS pays_first
  FROM active
  LEFT JOIN paid ON paid.user_id = active.user_id AND paid.server_id = active.server_id
  LEFT JOIN users ON users.user_id = active.user_id
  LEFT JOIN farmers ON farmers.user_id = active.user_id
)
SELECT
  {{ logDate | day }} AS report_date, user_type, first_login_date, server_id, country_code, platform,
  count(*) AS dau,
  count(CASE WHEN is_new THEN 1 END) AS nru,
  count(CASE WHEN pays THEN 1 END) AS pu,
  count(CASE WHEN pays AND pays_first THEN 1 END) AS npu,
  count(CASE WHEN pays AND pays_first AND is_new THEN 1 END) AS nnpu,
  coalesce(sum(usd), 0) AS rev_usd,
  coalesce(sum(CASE WHEN is_new THEN usd END), 0) AS rev_nru,
  coalesce(sum(CASE WHEN pays_first THEN usd END), 0) AS rev_npu,
  coalesce(sum(CASE WHEN pays_first AND is_new THEN usd END), 0) AS rev_nnpu
FROM facts
GROUP BY user_type, first_login_date, server_id, country_code, platform
