-- Marks the owner's address as verified, for the command line; one that is keeps its time.
-- No row: the account is gone.
-- @writes
-- @param owner_id uuid
-- @returns id uuid
UPDATE users
SET
    email_verified_at = coalesce(email_verified_at, now()),
    updated_at = now()
WHERE id = %(owner_id)s
RETURNING id
