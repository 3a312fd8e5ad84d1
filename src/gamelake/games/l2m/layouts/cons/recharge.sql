/* ---
description: What each user paid where and how, in VND
inputSources:
  - {name: recharge, dataset: l2m.bronze.recharge}
outputs:
  - slice: {ds: logDate}
    grain: [ds, user_id, server_id, pmc]
    on_empty: clear
    schema:
      ds: day<+07:00>
      user_id: id<user>
      server_id: id<server>
      pmc: text
      amount: money<VND> not null
checks:
  - {name: every payer is active, kind: relationship, columns: [ds, user_id], dataset: l2m.gold.active, to: [active_date, user_id]}
  - {kind: conservation, column: amount, dataset: l2m.bronze.recharge}
--- */
SELECT ds, user_id, server_id, pmc, amount FROM recharge
