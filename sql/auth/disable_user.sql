-- Disables the owner's account; disabled_at of a disabled account stays.
-- No row: the account is gone.
-- @writes
-- @param owner_id uuid
-- @returns id uuid
UPDATE users
SET disabled_at = coalesce(disabled_at, clock_timestamp())
WHERE id = %(owner_id)s
RETURNING id
