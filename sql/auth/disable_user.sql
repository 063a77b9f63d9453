-- Closes the owner's account to log-ins; one that is closed keeps its time.
-- No row: the account is gone.
UPDATE users
SET disabled_at = coalesce(disabled_at, clock_timestamp())
WHERE id = %(owner_id)s
RETURNING id
