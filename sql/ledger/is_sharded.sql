-- Tells whether Citus has the ledgers on other nodes than the accounts, so that no foreign key can lead
-- from one to the other.
-- @reads
-- @returns is_sharded boolean
SELECT
    current_setting('citus.version', TRUE) IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint
        WHERE conname = 'ledgers_owner_fkey'
    ) AS is_sharded
