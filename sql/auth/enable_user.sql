-- Opens the owner's account again.
-- No row: the account is gone.
UPDATE users
SET disabled_at = NULL
WHERE id = %(owner_id)s
RETURNING id
