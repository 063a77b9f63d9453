-- Reads whether the owner wants mail and can get it.
-- No row: the account is gone.
-- @reads
-- @param owner_id uuid
-- @returns wants_mail boolean
SELECT wants_mail AND email_verified_at IS NOT NULL AND disabled_at IS NULL AS wants_mail
FROM users
WHERE id = %(owner_id)s
