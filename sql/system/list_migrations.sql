-- Lists the applied migrations, each with whether the server is read-only and whether row security
-- applies to the current role.
-- No row: no migration has been applied.
-- @reads
-- @returns migration_id text, is_read_only boolean, has_row_security boolean
SELECT
    migration_id::text AS migration_id,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    coalesce(row_security_active(to_regclass('public.tasks')::oid), FALSE) AS has_row_security
FROM _yoyo_migration
WHERE migration_id IS NOT NULL
