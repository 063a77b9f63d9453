-- Lists the migrations that have been applied.
-- No row: none has.
SELECT migration_id FROM _yoyo_migration
