/* ---
description: What is known of each role now
inputSources:
  - name: profiles
    type: file
    connection: l2m
    path: mkt_role_profile
    schema:
      role_id: id<role>
      user_id: id<user>
      server_id: id<server>
      role_level: level
      first_login: date
      first_charge: date
outputs:
  - grain: [role_id]
    allow_shrink: 0.5
    schema:
      role_id: id<role>
      user_id: id<user>
      server_id: id<server>
      role_level: level
      first_login: day<+07:00>
      first_charge: day<+07:00>
--- */
SELECT role_id, user_id, server_id, role_level, first_login, first_charge FROM profiles WHERE role_id IS NOT NULL
