/* ---
description: A target is a connection and a table
inputSources:
  - {name: daily, dataset: toy.gold.daily}
outputs:
  - connection: warehouse
    grain: [player]
    schema: {player: text}
--- */
SELECT player FROM daily GROUP BY player
