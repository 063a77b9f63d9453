-- Starts a session with its first refresh token, remembers the address, and drops the owner's
-- sessions and addresses that ran out. The account's rows are locked, so that a password change or
-- a closure at the same time either comes first or sees this session.
-- No row: the account is gone or closed, or its password is another one now.
WITH account AS (
    SELECT users.id
    FROM users
    INNER JOIN credentials ON users.id = credentials.owner_id
    WHERE
        users.id = %(owner_id)s
        AND users.disabled_at IS NULL
        AND credentials.owner_id = %(owner_id)s
        AND credentials.changed_at = %(password_changed_at)s
    FOR SHARE
),

expired AS (
    DELETE FROM sessions
    WHERE
        owner_id = %(owner_id)s
        AND (
            created_at <= now() - interval '90 days' OR last_used_at <= now() - interval '30 days'
        )
),

forgotten AS (
    DELETE FROM known_addresses
    WHERE
        owner_id = %(owner_id)s
        AND address_hash <> %(address_hash)s
        AND last_login_at <= now() - interval '180 days'
),

started AS (
    INSERT INTO sessions (owner_id, id, user_agent)
    SELECT id, %(session_id)s, %(user_agent)s FROM account
    RETURNING owner_id, id
),

token AS (
    INSERT INTO refresh_tokens (owner_id, session_id, token_hash)
    SELECT owner_id, id, %(token_hash)s FROM started
),

known AS (
    INSERT INTO known_addresses (owner_id, address_hash)
    SELECT owner_id, %(address_hash)s FROM started
    ON CONFLICT (owner_id, address_hash) DO UPDATE SET last_login_at = excluded.last_login_at
)

SELECT id FROM started
