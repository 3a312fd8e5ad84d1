/* ---
description: The newest snapshot of `guild_info`; repairing an old day leaves it as it is
inputSources:
  - {name: snapshots, dataset: l2m.gold.guild_info}
outputs:
  - grain: [user_id]
    on_empty: clear
    allow_shrink: 0
    schema:
      snapshot_date: day<+07:00> not null
      user_id: id<user>
      role_id: id<role> not null
      role_name: text
      server_id: id<server> not null
      role_level: level
      clan_id: text not null
      clan_name: text
      last_seen: timestamp<utc> not null
--- */
SELECT snapshot_date, user_id, role_id, role_name, server_id, role_level, clan_id, clan_name, last_seen
FROM snapshots
WHERE snapshot_date = (SELECT max(snapshot_date) FROM snapshots)
