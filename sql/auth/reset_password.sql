-- Uses the owner's link of a reset: replaces the password hash. Who has the link reads the mail of
-- the address, which is therefore verified. Locks the account before its link, as all others do.
-- No row: the link is not good (see find_link.sql), or was used or the password changed at the same
-- moment; the transaction must then be rolled back.
-- @writes
-- @param owner_id uuid
-- @param hash bytea
-- @param password_hash text
-- @returns changed_at timestamptz
WITH account AS (
    SELECT id, email_key
    FROM users
    WHERE id = %(owner_id)s AND disabled_at IS NULL
    FOR NO KEY UPDATE
),

spent AS (
    DELETE FROM account_tokens
    USING account, credentials
    WHERE
        account_tokens.owner_id = %(owner_id)s
        AND account_tokens.purpose = 'reset'
        AND account_tokens.hash = %(hash)s
        AND account_tokens.expires_at > now()
        AND account_tokens.owner_id = account.id
        AND account_tokens.email_key = account.email_key
        AND credentials.owner_id = %(owner_id)s
        AND credentials.changed_at = account_tokens.password_changed_at
    RETURNING account_tokens.owner_id, account_tokens.password_changed_at
),

verified AS (
    UPDATE users
    SET email_verified_at = now(), updated_at = now()
    FROM spent
    WHERE
        users.id = %(owner_id)s
        AND users.id = spent.owner_id
        AND users.email_verified_at IS NULL
)

UPDATE credentials
SET password_hash = %(password_hash)s, changed_at = clock_timestamp()
FROM spent
WHERE
    credentials.owner_id = %(owner_id)s
    AND credentials.owner_id = spent.owner_id
    AND credentials.changed_at = spent.password_changed_at
RETURNING credentials.changed_at
