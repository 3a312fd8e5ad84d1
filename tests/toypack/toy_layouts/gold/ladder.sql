/* ---
description: Every player, best first
inputSources:
  - {name: best, dataset: toy.gold.best}
outputs:
  - mode: snapshot_replace
    grain: [player]
    schema:
      player: text
      best: bigint
      days: bigint not null
--- */
SELECT player, max(best) AS best, count(*) AS days
FROM best
GROUP BY player
