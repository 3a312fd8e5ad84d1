/* ---
description: Who was active, on any server
inputSources:
  - {name: active, dataset: l2m.silver.active}
outputs:
  - slice: {active_date: logDate}
    grain: [active_date, user_id]
    on_empty: clear
    schema:
      active_date: day<+07:00>
      user_id: id<user>
      max_level: {type: level, doc: over all servers}
--- */
SELECT {{ logDate | day }} AS active_date, user_id, max(level) AS max_level FROM active GROUP BY user_id
