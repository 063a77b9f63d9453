-- Lists the migrations that have been applied, and whether the database takes no writes.
-- No row: none has been applied.
SELECT
    migration_id,
    current_setting('transaction_read_only')::boolean AS is_read_only
FROM _yoyo_migration
