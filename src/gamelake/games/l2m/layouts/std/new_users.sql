/* ---
description: Users whose first login the day was, and who were active
inputSources:
  - {name: active, dataset: l2m.gold.active, slice: {active_date: logDate}}
  - {name: users, dataset: l2m.bronze.user_profile, current_state: true}
outputs:
  - slice: {cohort_date: logDate}
    grain: [cohort_date, user_id]
    on_empty: clear
    schema: {cohort_date: "day<+07:00>", user_id: "id<user>"}
--- */
SELECT {{ logDate | day }} AS cohort_date, active.user_id
FROM active
INNER JOIN users ON users.user_id = active.user_id
WHERE users.first_login = {{ logDate | day }}
