/* ---
description: The clan each user's highest role was last seen in, over eight days
inputSources:
  - {name: seen, dataset: l2m.bronze.clan_seen, slice: {report_date: logDate}, lookback: 7}
outputs:
  - slice: {snapshot_date: logDate}
    grain: [snapshot_date, user_id]
    on_empty: clear
    schema:
      snapshot_date: day<+07:00>
      user_id: id<user>
      role_id: id<role> not null
      role_name: text
      server_id: id<server> not null
      role_level: level
      clan_id: text not null
      clan_name: text
      last_seen: timestamp<utc> not null
--- */
WITH of_roles AS (
  SELECT
    user_id, role_id, role_name, server_id, clan_id, clan_name, last_seen,
    max(role_level) OVER (PARTITION BY user_id, role_id) AS role_level,
    row_number() OVER (PARTITION BY user_id, role_id ORDER BY last_seen DESC, last_log_id DESC) AS age
  FROM seen
),
of_users AS (
  SELECT
    user_id, role_id, role_name, server_id, clan_id, clan_name, last_seen, role_level,
    row_number() OVER (PARTITION BY user_id ORDER BY coalesce(role_level, -1) DESC, last_seen DESC, role_id) AS place
  FROM of_roles
  WHERE age = 1
)
SELECT
  {{ logDate | day }} AS snapshot_date, user_id, role_id, role_name, server_id, role_level, clan_id, clan_name,
  last_seen
FROM of_users
WHERE place = 1
