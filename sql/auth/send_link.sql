-- Starts the lifetime of the owner's link in a mail that is about to leave; again at each attempt.
-- No row: the link was used, or replaced by a newer one.
-- @writes
-- @param owner_id uuid
-- @param mail_id uuid
-- @returns seed bytea, hash bytea
UPDATE account_tokens
SET expires_at = now() + link_lifetime(account_tokens.purpose)
WHERE owner_id = %(owner_id)s AND mail_id = %(mail_id)s
RETURNING account_tokens.seed, account_tokens.hash
