/* ---
description: x
inputSources:
  - {name: a, dataset: wow.silver.a}
outputs:
  - mode: scd2
    slice: [n]
    grain: [who]
    schema: {n: bigint, who: text}
--- */
SELECT n, who FROM a
