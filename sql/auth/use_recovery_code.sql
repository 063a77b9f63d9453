-- Removes a recovery code, by its hash. Of two log-ins with one code, one gets a row.
-- No row: there is no such code, or it was used.
-- @writes
-- @param recovery_hash bytea
-- @param owner_id uuid
-- @returns codes_left integer
UPDATE second_factors
SET recovery_hashes = array_remove(recovery_hashes, %(recovery_hash)s::bytea)
WHERE
    owner_id = %(owner_id)s
    AND confirmed_at IS NOT NULL
    AND %(recovery_hash)s::bytea = any(recovery_hashes)
RETURNING cardinality(recovery_hashes) AS codes_left
