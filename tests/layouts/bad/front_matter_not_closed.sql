/* ---
description: x
SELECT 1
