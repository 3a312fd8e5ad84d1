/* ---
description: x
inputSources:
  - {name: a, dataset: wow.silver.a}
carries: true
outputs:
  - mode: merge
    slice: [n]
    grain: [who]
    schema: {n: bigint, who: text}
--- */
SELECT n, who FROM a UNION ALL SELECT n, who FROM previous
