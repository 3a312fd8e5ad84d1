/* ---
description: A condition is missing
inputSources:
  - {name: deaths, dataset: wow.gold.fact_deaths}
outputs:
  - slice: [raid_date]
    schema: {raid_date: date}
--- */
SELECT raid_date FROM deaths
WHERE
