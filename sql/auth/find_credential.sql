-- Finds the account of an e-mail, with what its log-in is checked against.
-- No row: no such account, or one that is disabled.
SELECT
    users.id,
    users.email,
    utc(users.created_at) AS created_at,
    utc(users.updated_at) AS updated_at,
    credentials.password_hash
FROM users
INNER JOIN credentials ON users.id = credentials.owner_id
WHERE users.email_key = %(email_key)s AND users.disabled_at IS NULL
