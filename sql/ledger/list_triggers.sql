-- Lists the triggers of the schema's tables, without those of foreign keys.
-- No row: no table has a trigger.
-- @reads
-- @returns name text, definition text, is_enabled boolean
SELECT
    pg_trigger.tgname::text AS name,
    pg_get_triggerdef(pg_trigger.oid) AS definition,
    pg_trigger.tgenabled = 'O' AS is_enabled
FROM pg_trigger
INNER JOIN pg_class ON pg_trigger.tgrelid = pg_class.oid
WHERE pg_class.relnamespace = 'public'::regnamespace AND NOT pg_trigger.tgisinternal
ORDER BY pg_trigger.tgname
