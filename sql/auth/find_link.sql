-- Finds a mailed link of the owner that is still good, with the account's address.
-- No row: it is spent, expired or replaced, has another purpose or never was, the password or the
-- address was changed since, or the account is disabled.
-- @reads
-- @param owner_id uuid
-- @param purpose text
-- @param hash bytea
-- @returns email text
SELECT users.email
FROM account_tokens
INNER JOIN users ON account_tokens.owner_id = users.id
INNER JOIN credentials ON account_tokens.owner_id = credentials.owner_id
WHERE
    account_tokens.owner_id = %(owner_id)s
    AND account_tokens.purpose = %(purpose)s
    AND account_tokens.hash = %(hash)s
    AND account_tokens.expires_at > now()
    AND users.id = %(owner_id)s
    AND users.email_key = account_tokens.email_key
    AND users.disabled_at IS NULL
    AND credentials.owner_id = %(owner_id)s
    AND credentials.changed_at = account_tokens.password_changed_at
