/* ---
description: x
inputSources:
  - {name: a, dataset: wow.silver.a, lookback: -1}
outputs:
  - mode: replace_slice
    slice: [day]
    grain: [who]
    schema: {day: date, who: text}
--- */
SELECT day, who FROM a
