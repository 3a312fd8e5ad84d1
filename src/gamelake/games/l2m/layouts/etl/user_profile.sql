/* ---
description: What is known of each user now
inputSources:
  - name: profiles
    type: file
    connection: l2m
    path: mkt_user_profile
    schema: {user_id: id<user>, country: text, platform: text, first_login: date, first_charge: date}
outputs:
  - grain: [user_id]
    allow_shrink: 0.5
    schema:
      user_id: id<user>
      country_code: {type: text, nullable: false, doc: "one of six countries, else Other"}
      platform: text
      first_login: day<+07:00>
      first_charge: day<+07:00>
--- */
SELECT
  user_id,
  CASE WHEN country IN ('TH', 'VN', 'ID', 'PH', 'SG', 'MY') THEN country ELSE 'Other' END AS country_code,
  platform, first_login, first_charge
FROM profiles
WHERE user_id IS NOT NULL
