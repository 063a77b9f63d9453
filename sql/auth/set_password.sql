-- Replaces the owner's password hash, whatever it was: for the command line.
-- No row: the account is gone.
UPDATE credentials
SET password_hash = %(password_hash)s, changed_at = clock_timestamp()
WHERE owner_id = %(owner_id)s
RETURNING changed_at
