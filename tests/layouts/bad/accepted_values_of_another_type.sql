/* ---
description: Values that the columns cannot hold
inputSources:
  - {name: deaths, dataset: wow.gold.fact_deaths}
outputs:
  - slice: [raid_date]
    schema: {raid_date: date, team: text, n: bigint, quick: bool}
checks:
  - {kind: accepted_values, column: n, values: [1, one, 2.5]}
  - {kind: accepted_values, column: team, values: [yes, "no"]}
  - {kind: accepted_values, column: quick, values: [yes, 1]}
  - {kind: accepted_values, column: raid_date, values: [2026-01-01, "2026-01-02"]}
--- */
SELECT raid_date, team, n, quick FROM deaths
