/* ---
description: One row per player
inputSources:
  - {name: pulls, dataset: wow.silver.pulls}
  - {name: events, dataset: wow.silver.events}
outputs:
  - slice: [raid_date]
    grain: [player]
    schema:
      raid_date: date
      player: text
      damage: bigint not null
--- */
