/* ---
description: The figures of the day over all servers
inputSources:
  - {name: active, dataset: l2m.gold.active, slice: {active_date: logDate}}
  - {name: recharge, dataset: l2m.bronze.recharge, slice: {ds: logDate}}
  - {name: new_users, dataset: l2m.silver.new_users, slice: {cohort_date: logDate}}
  - {name: users, dataset: l2m.bronze.user_profile, current_state: true}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date]
    schema:
      report_date: day<+07:00>
      dau: {type: count, nullable: false, doc: users active on any server}
      nru: {type: count, nullable: false, doc: "of these, whose first login the day was"}
      pu: {type: count, nullable: false, doc: users with a completed recharge}
      npu: {type: count, nullable: false, doc: "of these, whose first charge the day was"}
      nnpu: {type: count, nullable: false, doc: "of these, whose first login the day was"}
      rev_usd: money<USD> not null
      arpu: {type: "money<USD>", doc: rev_usd for each of dau}
      arppu: {type: "money<USD>", doc: rev_usd for each of pu; null without payers}
checks:
  - {name: payers are active, kind: sql, predicate: "dau >= pu AND pu >= npu AND npu >= nnpu AND dau >= nru"}
--- */
WITH paid AS (
  SELECT user_id, sum(daily_rev_usd) AS usd FROM recharge GROUP BY user_id
),
payers AS (
  SELECT
    count(*) AS pu, coalesce(sum(paid.usd), 0) AS rev_usd,
    count(CASE WHEN users.first_charge = {{ logDate | day }} THEN 1 END) AS npu,
    count(CASE WHEN users.first_charge = {{ logDate | day }} AND users.first_login = {{ logDate | day }} THEN 1 END) AS nnpu
  FROM paid
  LEFT JOIN users ON users.user_id = paid.user_id
),
present AS (
  SELECT count(*) AS dau FROM active
),
arrived AS (
  SELECT count(*) AS nru FROM new_users
)
SELECT
  {{ logDate | day }} AS report_date, present.dau, arrived.nru, payers.pu, payers.npu, payers.nnpu, payers.rev_usd,
  {{ money_div('payers.rev_usd', 'present.dau') }} AS arpu,
  {{ money_div('payers.rev_usd', 'payers.pu') }} AS arppu
FROM payers
CROSS JOIN present
CROSS JOIN arrived
