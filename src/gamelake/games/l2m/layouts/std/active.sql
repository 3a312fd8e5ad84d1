/* ---
description: Who was active where, by any sign of the day
inputSources:
  - {name: login, dataset: l2m.bronze.active_login}
  - {name: logout, dataset: l2m.bronze.active_logout}
  - {name: recharge, dataset: l2m.bronze.recharge, slice: {ds: logDate}}
  - {name: item_gain, dataset: l2m.bronze.item_gain, slice: {report_date: logDate}}
  - {name: item_spend, dataset: l2m.bronze.item_spend, slice: {report_date: logDate}}
  - {name: money_gain, dataset: l2m.bronze.money_gain, slice: {report_date: logDate}}
  - {name: money_spend, dataset: l2m.bronze.money_spend, slice: {report_date: logDate}}
outputs:
  - slice: {active_date: logDate}
    grain: [active_date, user_id, server_id]
    on_empty: clear
    schema:
      active_date: day<+07:00>
      user_id: id<user>
      server_id: id<server>
      level: {type: level, doc: highest of the day; null when only recharges or money tell of the user}
checks:
  - {name: rows against the last seven days, kind: row_count, min_ratio: 0.5, max_ratio: 2, previous: 7, severity: warn}
--- */
WITH signs AS (
  SELECT user_id, server_id, level FROM login
  UNION ALL SELECT user_id, server_id, level FROM logout
  UNION ALL SELECT user_id, server_id, CAST(NULL AS INTEGER) FROM recharge
  UNION ALL SELECT user_id, server_id, role_level FROM item_gain
  UNION ALL SELECT user_id, server_id, role_level FROM item_spend
  UNION ALL SELECT user_id, server_id, CAST(NULL AS INTEGER) FROM money_gain
  UNION ALL SELECT user_id, server_id, CAST(NULL AS INTEGER) FROM money_spend
)
SELECT {{ logDate | day }} AS active_date, user_id, server_id, max(level) AS level
FROM signs
GROUP BY user_id, server_id
