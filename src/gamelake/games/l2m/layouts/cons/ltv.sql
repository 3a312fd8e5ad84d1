/* ---
description: What a day's new users paid within n days, for each of them
inputSources:
  - {name: cohort, dataset: l2m.silver.new_users}
  - {name: revenue, dataset: l2m.gold.cum_rev, slice: {ds: logDate}, days: [-1, 7, 14, 30, 60, 90, 180]}
  - {name: run_days, dataset: l2m.silver.run_days, slice: {report_date: logDate}, days: [7, 14, 30, 60, 90, 180]}
outputs:
  - slice: {cohort_date: logDate}
    grain: [cohort_date, day_n]
    on_empty: clear
    schema:
      cohort_date: day<+07:00>
      day_n: int
      cohort_size: count not null
      revenue_usd: {type: "money<USD>", nullable: false, doc: "from day 0 to day n, both included"}
      ltv: {type: "money<USD>", doc: revenue_usd for each of the cohort}
--- */
-- Revenue of a span is the difference of two cumulative totals.
WITH sizes AS (
  SELECT count(*) AS users FROM cohort
),
totals AS (
  SELECT revenue.ds AS day, sum(revenue.total_rev_usd) AS usd
  FROM revenue
  INNER JOIN cohort ON cohort.user_id = revenue.user_id
  GROUP BY revenue.ds
),
before AS (
  SELECT coalesce(sum(usd), 0) AS usd FROM totals WHERE day < {{ logDate | day }}
),
spans AS (
  SELECT
    {{ days_between(logDate | day, 'run_days.report_date') }} AS day_n, sizes.users AS cohort_size,
    coalesce(totals.usd, 0) - before.usd AS revenue_usd
  FROM run_days
  CROSS JOIN sizes
  CROSS JOIN before
  LEFT JOIN totals ON totals.day = run_days.report_date
  WHERE sizes.users > 0
)
SELECT
  {{ logDate | day }} AS cohort_date, day_n, cohort_size, revenue_usd,
  {{ money_div('revenue_usd', 'cohort_size') }} AS ltv
FROM spans
