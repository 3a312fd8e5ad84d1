/* ---
description: Days of which activity and revenue are complete
inputSources:
  - {name: active, dataset: l2m.gold.active, slice: {active_date: logDate}}
  - {name: revenue, dataset: l2m.gold.cum_rev, slice: {ds: logDate}}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date]
    schema:
      report_date: day<+07:00>
      active_users: count not null
      paying_users: {type: count, nullable: false, doc: who ever paid}
--- */
SELECT
  {{ logDate | day }} AS report_date, (SELECT count(*) FROM active) AS active_users,
  (SELECT count(DISTINCT user_id) FROM revenue) AS paying_users
