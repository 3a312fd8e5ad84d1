/* ---
description: Best score of each player and day
inputSources:
  - {name: scores, dataset: toy.bronze.scores}
outputs:
  - slice: [day]
    grain: [day, player]
    schema:
      day: date
      player: text
      best: bigint
checks:
  - {kind: range, column: best, min: 0}
--- */
SELECT day, player, max(score) AS best
FROM scores
GROUP BY day, player
