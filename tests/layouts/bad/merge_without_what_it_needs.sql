/* ---
description: x
inputSources:
  - {name: a, dataset: wow.silver.a}
outputs:
  - mode: merge
    schema: {day: date, n: bigint}
--- */
SELECT day, n FROM a
