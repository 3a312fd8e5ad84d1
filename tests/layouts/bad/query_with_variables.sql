/* ---
description: One row per player
inputSources:
  - name: pulls
    type: query
    connection: game
    query: SELECT * FROM pulls WHERE ds = {{ logDate | day }} AND team = {{ team | lit }}
    schema: {player: text}
  - name: deaths
    type: table
    connection: game
    table: public.deaths
    slice: {dss: logDate, at: logDate, day: other}
    schema: {day: date, at: timestamp}
outputs:
  - slice: {raid_date: logDate}
    grain: [player]
    schema:
      raid_date: date
      player: text
--- */
SELECT raid_date, player FROM pulls
