/* ---
description: Users who play like bots, with the rules they meet and what speaks for it
inputSources:
  - {name: clusters, dataset: l2m.silver.address_clusters, slice: {report_date: logDate}, lookback: window_days - 1}
  - {name: levels, dataset: l2m.bronze.item_levels, slice: {report_date: logDate}, lookback: window_days - 1}
  - {name: active, dataset: l2m.silver.active, slice: {active_date: logDate}, lookback: window_days - 1}
  - {name: revenue, dataset: l2m.gold.cum_rev, slice: {ds: logDate}}
  - {name: roles, dataset: l2m.bronze.role_profile, current_state: true}
  - {name: worlds, dataset: l2m.bronze.worlds}
variables:
  window_days: {type: int, default: 30}
  min_days: {type: int, default: 3}
outputs:
  - slice: {snapshot_date: logDate}
    grain: [snapshot_date, user_id]
    on_empty: clear
    schema:
      snapshot_date: day<+07:00>
      user_id: id<user>
      user_type: {type: text, nullable: false, doc: "PU Farmer if the user ever paid, else Non-PU Farmer"}
      score: {type: double, nullable: false, doc: "0 to 1, the more the stronger"}
      rules: {type: "list<text>", nullable: false, doc: the rules met}
      evidence: {type: json, nullable: false, doc: "for each rule, what was seen and when"}
      role_id: {type: id<role>, doc: the user's highest role on a production world}
      server_id: id<server>
      role_level: level
checks:
  - {kind: accepted_values, column: user_type, values: [PU Farmer, Non-PU Farmer]}
  - {kind: range, column: score, min: 0, max: 1}
--- */
-- A: the largest crowd on one address. B: never above level 1, and active often enough not to be a beginner.
WITH crowds AS (
  SELECT
    user_id, address, report_date, users,
    row_number() OVER (PARTITION BY user_id ORDER BY users DESC, report_date DESC, address) AS place
  FROM clusters
),
a AS (
  SELECT user_id, address, report_date, users FROM crowds WHERE place = 1
),
known AS (
  SELECT user_id, max(level) AS level FROM levels GROUP BY user_id
),
days AS (
  SELECT user_id, count(DISTINCT active_date) AS active_days, min(active_date) AS first_day, max(active_date) AS last_day
  FROM active
  GROUP BY user_id
),
b AS (
  SELECT known.user_id, known.level, days.active_days, days.first_day, days.last_day
  FROM known
  INNER JOIN days ON days.user_id = known.user_id
  WHERE known.level = 1 AND days.active_days >= {{ min_days | lit }}
),
flagged AS (
  SELECT user_id FROM a
  UNION
  SELECT user_id FROM b
),
payers AS (
  SELECT DISTINCT user_id FROM revenue
),
top_roles AS (
  SELECT
    user_id, role_id, server_id, role_level,
    row_number() OVER (PARTITION BY user_id ORDER BY coalesce(role_level, -1) DESC, role_id) AS place
  FROM roles
  WHERE server_id IN (SELECT server_id FROM worlds)
)
SELECT
  {{ logDate | day }} AS snapshot_date, flagged.user_id,
  CASE WHEN payers.user_id IS NULL THEN 'Non-PU Farmer' ELSE 'PU Farmer' END AS user_type,
  CASE WHEN a.user_id IS NULL THEN 0.6 WHEN b.user_id IS NULL THEN 0.7 ELSE 0.88 END AS score,
  CASE WHEN a.user_id IS NULL THEN '["B"]' WHEN b.user_id IS NULL THEN '["A"]' ELSE '["A", "B"]' END AS rules,
  concat(
    '{',
    CASE WHEN a.user_id IS NOT NULL THEN concat(
      '"A": {"address": "', replace(replace(a.address, '\', '\\'), '"', '\"'),
      '", "day": "', CAST(a.report_date AS VARCHAR), '", "users": ', CAST(a.users AS VARCHAR), '}'
    ) END,
    CASE WHEN a.user_id IS NOT NULL AND b.user_id IS NOT NULL THEN ', ' END,
    CASE WHEN b.user_id IS NOT NULL THEN concat(
      '"B": {"max_level": ', CAST(b.level AS VARCHAR), ', "active_days": ', CAST(b.active_days AS VARCHAR),
      ', "first_day": "', CAST(b.first_day AS VARCHAR), '", "last_day": "', CAST(b.last_day AS VARCHAR), '"}'
    ) END,
    '}'
  ) AS evidence,
  top_roles.role_id, top_roles.server_id, top_roles.role_level
FROM flagged
LEFT JOIN a ON a.user_id = flagged.user_id
LEFT JOIN b ON b.user_id = flagged.user_id
LEFT JOIN payers ON payers.user_id = flagged.user_id
LEFT JOIN top_roles ON top_roles.user_id = flagged.user_id AND top_roles.place = 1
