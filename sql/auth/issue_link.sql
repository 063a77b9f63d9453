-- Makes the owner's mailed link of a purpose, in place of an earlier one. It lasts until the password
-- or the address is another one, and expires only when its mail has left.
-- No row: the account is gone or disabled.
-- @writes
-- @param purpose text
-- @param hash bytea
-- @param seed bytea
-- @param mail_id uuid
-- @param new_email text
-- @param new_email_key text
-- @param owner_id uuid
-- @returns owner_id uuid
INSERT INTO account_tokens (
    owner_id, purpose, hash, seed, mail_id, email_key, password_changed_at, new_email, new_email_key
)
SELECT
    users.id,
    %(purpose)s::text AS purpose,
    %(hash)s::bytea AS hash,
    %(seed)s::bytea AS seed,
    %(mail_id)s::uuid AS mail_id,
    users.email_key,
    credentials.changed_at,
    %(new_email)s::text AS new_email,
    %(new_email_key)s::text AS new_email_key
FROM users
INNER JOIN credentials ON users.id = credentials.owner_id
WHERE
    users.id = %(owner_id)s
    AND credentials.owner_id = %(owner_id)s
    AND users.disabled_at IS NULL
ON CONFLICT (owner_id, purpose) DO UPDATE
    SET
        hash = excluded.hash,
        seed = excluded.seed,
        mail_id = excluded.mail_id,
        email_key = excluded.email_key,
        password_changed_at = excluded.password_changed_at,
        new_email = excluded.new_email,
        new_email_key = excluded.new_email_key,
        created_at = now(),
        expires_at = NULL
RETURNING account_tokens.owner_id
