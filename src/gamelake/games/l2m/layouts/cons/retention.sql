/* ---
description: How many of a day's new users came back n days later
inputSources:
  - {name: cohort, dataset: l2m.silver.new_users}
  - {name: active, dataset: l2m.gold.active, slice: {active_date: logDate}, days: [1, 3, 7, 14, 21, 30]}
  - {name: run_days, dataset: l2m.silver.run_days, slice: {report_date: logDate}, days: [1, 3, 7, 14, 21, 30]}
outputs:
  - slice: {cohort_date: logDate}
    grain: [cohort_date, day_n]
    on_empty: clear
    schema:
      cohort_date: day<+07:00>
      day_n: int
      cohort_size: count not null
      retained: count not null
      rate: {type: double, doc: retained for each of the cohort}
checks:
  - {name: nobody else came back, kind: sql, predicate: "retained <= cohort_size"}
--- */
WITH sizes AS (
  SELECT count(*) AS users FROM cohort
),
back AS (
  SELECT active.active_date AS day, count(*) AS users
  FROM active
  INNER JOIN cohort ON cohort.user_id = active.user_id
  GROUP BY active.active_date
)
SELECT
  {{ logDate | day }} AS cohort_date, {{ days_between(logDate | day, 'run_days.report_date') }} AS day_n,
  sizes.users AS cohort_size, coalesce(back.users, 0) AS retained,
  {{ ratio('coalesce(back.users, 0)', 'sizes.users') }} AS rate
FROM run_days
CROSS JOIN sizes
LEFT JOIN back ON back.day = run_days.report_date
WHERE sizes.users > 0
