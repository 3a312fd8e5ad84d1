/* ---
description: Addresses that many users logged in from on one day, with these users, for farmer rule A
inputSources:
  - name: logins
    type: file
    connection: l2m
    path: etl_login/ds={logDate}
    lookahead: late_days
    schema: {logtime: timestamp, ds: date, actor_str3: id<user>, actor_world: id<server>, data_str1: text}
  - {name: worlds, dataset: l2m.bronze.worlds}
variables:
  late_days: {type: int, default: 2, doc: rows that arrive so many days late still count}
  min_users_per_ip: {type: int, default: 10}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, address, user_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      address: text
      user_id: id<user>
      users: {type: count, nullable: false, doc: different users of the address that day}
--- */
WITH pairs AS (
  SELECT DISTINCT data_str1 AS address, actor_str3 AS user_id
  FROM logins
  WHERE {{ business_day('logtime', '+07:00') }} = {{ logDate | day }}
    AND data_str1 IS NOT NULL
    AND actor_str3 IS NOT NULL
    AND actor_world IN (SELECT server_id FROM worlds)
),
sizes AS (
  SELECT address, count(*) AS users FROM pairs GROUP BY address HAVING count(*) >= {{ min_users_per_ip | lit }}
)
SELECT {{ logDate | day }} AS report_date, pairs.address, pairs.user_id, sizes.users
FROM pairs
INNER JOIN sizes ON sizes.address = pairs.address
