/* ---
description: x
inputSources:
  - {name: a, dataset: wow.silver.a}
outputs:
  - mode: replace_slice
    slice: [day]
    grain: [who]
    schema: {day: date, who: text}
--- */
SELECT day, who FROM a UNION ALL SELECT day, who FROM previous
