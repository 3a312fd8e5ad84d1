/* ---
description: A table is named with its schema
inputSources:
  - {name: daily, dataset: toy.gold.daily}
outputs:
  - connection: warehouse
    table: players
    grain: [player]
    schema: {player: text}
--- */
SELECT player FROM daily GROUP BY player
