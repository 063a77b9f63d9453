-- Reads the owner's second factor with its encrypted secret, for checking a code.
-- No row: none was set up.
-- @reads
-- @param owner_id uuid
-- @returns created_at timestamptz, is_on boolean, key_id text, secret bytea
SELECT created_at, confirmed_at IS NOT NULL AS is_on, key_id, secret
FROM second_factors
WHERE owner_id = %(owner_id)s
