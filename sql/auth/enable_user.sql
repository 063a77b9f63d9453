-- Enables the owner's account.
-- No row: the account is gone.
-- @writes
-- @param owner_id uuid
-- @returns id uuid
UPDATE users
SET disabled_at = NULL
WHERE id = %(owner_id)s
RETURNING id
