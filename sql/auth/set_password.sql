-- Replaces the owner's password hash unconditionally, for the command line.
-- No row: the account is gone.
-- @writes
-- @param password_hash text
-- @param owner_id uuid
-- @returns changed_at timestamptz
UPDATE credentials
SET password_hash = %(password_hash)s, changed_at = clock_timestamp()
WHERE owner_id = %(owner_id)s
RETURNING changed_at
