-- Notes the step of a right code as used, and stores the secret as it is encrypted now. Of two log-ins
-- with codes of one step, one gets a row.
-- No row: the code of that step or of a later one was used, or the second factor is another one.
-- @writes
-- @param step bigint
-- @param key_id text
-- @param secret bytea
-- @param owner_id uuid
-- @param created_at timestamptz
-- @returns last_step bigint
UPDATE second_factors
SET last_step = %(step)s, key_id = %(key_id)s, secret = %(secret)s
WHERE
    owner_id = %(owner_id)s
    AND created_at = %(created_at)s
    AND confirmed_at IS NOT NULL
    AND last_step < %(step)s
RETURNING last_step
