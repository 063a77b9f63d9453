-- Lists the migrations that have been applied, whether the database takes no writes, and whether row
-- security binds the role that asks.
-- No row: none has been applied.
SELECT
    migration_id,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    coalesce(row_security_active(to_regclass('public.tasks')::oid), FALSE) AS has_row_security
FROM _yoyo_migration
