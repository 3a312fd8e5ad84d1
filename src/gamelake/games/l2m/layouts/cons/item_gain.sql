/* ---
description: Key items gained, with the user's country
inputSources:
  - {name: moves, dataset: l2m.bronze.item_gain}
  - {name: users, dataset: l2m.bronze.user_profile, current_state: true}
outputs:
  - slice: {report_date: logDate}
    grain: [report_date, user_id, role_id, server_id, role_level, item_id, reason_id]
    on_empty: clear
    schema:
      report_date: day<+07:00>
      user_id: id<user>
      role_id: {type: id<role>, nullable: true}
      server_id: id<server>
      role_level: {type: level, nullable: true}
      item_id: id<item>
      reason_id: {type: text, nullable: true}
      gain_amount: count not null
      country_code: text not null
checks:
  - {kind: accepted_values, column: country_code, values: [TH, VN, ID, PH, SG, MY, Other, Unknown]}
  - {kind: conservation, column: gain_amount, dataset: l2m.bronze.item_gain}
--- */
SELECT
  moves.report_date, moves.user_id, moves.role_id, moves.server_id, moves.role_level, moves.item_id,
  moves.reason_id, moves.gain_amount, coalesce(users.country_code, 'Unknown') AS country_code
FROM moves
LEFT JOIN users ON users.user_id = moves.user_id
