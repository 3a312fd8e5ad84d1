/* ---
--- */
SELECT 1
