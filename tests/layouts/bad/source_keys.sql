/* ---
description: Keys of one kind of input on another
inputSources:
  - {name: players, type: table, connection: game, schema: {id: bigint}, split: {column: idd, parts: 4}}
  - {name: pulls, type: query, connection: game, table: public.pulls, query: SELECT 1 AS id}
  - {name: daily, dataset: toy.gold.daily, refresh: version}
outputs:
  - grain: [id]
    schema: {id: bigint}
--- */
SELECT id FROM players JOIN pulls USING (id) JOIN daily USING (id) GROUP BY id
