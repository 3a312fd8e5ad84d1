/* ---
description: The newest snapshot of `farmers_snapshot`; repairing an old day leaves it as it is
inputSources:
  - {name: snapshots, dataset: l2m.gold.farmers_snapshot}
outputs:
  - grain: [user_id]
    on_empty: clear
    allow_shrink: 0
    schema:
      snapshot_date: day<+07:00> not null
      user_id: id<user>
      user_type: text not null
      score: double not null
      rules: list<text> not null
      evidence: json not null
      role_id: id<role>
      server_id: id<server>
      role_level: level
--- */
SELECT snapshot_date, user_id, user_type, score, rules, evidence, role_id, server_id, role_level
FROM snapshots
WHERE snapshot_date = (SELECT max(snapshot_date) FROM snapshots)
