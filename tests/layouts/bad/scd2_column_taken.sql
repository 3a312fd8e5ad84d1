/* ---
description: x
inputSources:
  - {name: a, dataset: wow.silver.a}
outputs:
  - mode: scd2
    slice: [day]
    grain: [who, day]
    schema: {day: date, who: text, valid_to: date}
--- */
SELECT day, who, day AS valid_to FROM a
