-- Tells whether the server has Citus.
-- @reads
-- @returns is_sharded boolean
SELECT current_setting('citus.version', TRUE) IS NOT NULL AS is_sharded
