-- Starts a session with its first refresh token, stores the address as known, and deletes the
-- owner's expired sessions and addresses. Locks the account's rows, so that a concurrent password
-- change or disabling comes either before, or after and sees this session.
-- No row: the account is gone or disabled, or the password was changed since it was checked.
-- @writes
-- @param owner_id uuid
-- @param password_changed_at timestamptz
-- @param address_hash bytea
-- @param session_id uuid
-- @param user_agent text
-- @param token_hash bytea
-- @returns id uuid
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

expired_sessions AS (
    DELETE FROM sessions
    WHERE
        owner_id = %(owner_id)s
        AND (
            created_at <= now() - session_lifetime() OR last_used_at <= now() - session_idle_time()
        )
),

expired_addresses AS (
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
