-- beside the layout
SELECT raid_date, player, CAST(sum(damage) AS BIGINT) AS damage
FROM pull GROUP BY raid_date, player
