/* ---
description: [x
outputs: {
--- */
SELECT 1
