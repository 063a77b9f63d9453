-- Switches the owner's second factor on, if it is the one that was set up then, and notes the step of
-- the code that confirmed it as used.
-- No row: it is on already, or was replaced or removed since.
-- @writes
-- @param step bigint
-- @param owner_id uuid
-- @param created_at timestamptz
-- @returns confirmed_at timestamptz
UPDATE second_factors
SET confirmed_at = now(), last_step = %(step)s
WHERE owner_id = %(owner_id)s AND created_at = %(created_at)s AND confirmed_at IS NULL
RETURNING confirmed_at
