-- Starts a session with its first refresh token, and stores the address as known. Bounds the rows of
-- the account: deletes its expired sessions and addresses, the least recently used sessions beyond 99
-- others, which are announced in ended_sessions, and the oldest addresses beyond 99 others. API tokens
-- are left alone. Deletes up to 100 announcements older than one hour, whose access tokens have all
-- expired. Locks the account's rows, so that a concurrent password change or disabling comes either
-- before, or after and sees this session.
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
        AND kind = 'login'
        AND (
            created_at <= now() - session_lifetime() OR last_used_at <= now() - session_idle_time()
        )
),

surplus_sessions AS (
    SELECT sessions.id
    FROM account
    INNER JOIN sessions ON account.id = sessions.owner_id
    WHERE
        sessions.owner_id = %(owner_id)s
        AND sessions.kind = 'login'
        AND sessions.created_at > now() - session_lifetime()
        AND sessions.last_used_at > now() - session_idle_time()
    ORDER BY sessions.last_used_at DESC, sessions.id ASC
    OFFSET 99
),

ended AS (
    DELETE FROM sessions
    USING surplus_sessions
    WHERE sessions.owner_id = %(owner_id)s AND sessions.id = surplus_sessions.id
    RETURNING sessions.id
),

announced AS (
    INSERT INTO ended_sessions (session_id)
    SELECT id FROM ended
    ON CONFLICT (session_id) DO NOTHING
),

dropped AS (
    DELETE FROM ended_sessions
    WHERE session_id IN (
        SELECT session_id
        FROM ended_sessions
        WHERE ended_at <= now() - interval '1 hour'
        ORDER BY ended_at
        LIMIT 100
        FOR UPDATE SKIP LOCKED
    )
),

surplus_addresses AS (
    SELECT known_addresses.address_hash
    FROM account
    INNER JOIN known_addresses ON account.id = known_addresses.owner_id
    WHERE
        known_addresses.owner_id = %(owner_id)s
        AND known_addresses.address_hash <> %(address_hash)s
        AND known_addresses.last_login_at > now() - interval '180 days'
    ORDER BY known_addresses.last_login_at DESC, known_addresses.address_hash ASC
    OFFSET 99
),

forgotten AS (
    DELETE FROM known_addresses
    USING surplus_addresses
    WHERE
        known_addresses.owner_id = %(owner_id)s
        AND known_addresses.address_hash = surplus_addresses.address_hash
),

expired_addresses AS (
    DELETE FROM known_addresses
    WHERE
        owner_id = %(owner_id)s
        AND address_hash <> %(address_hash)s
        AND last_login_at <= now() - interval '180 days'
),

started AS (
    INSERT INTO sessions (owner_id, id, user_agent, token_hash)
    SELECT id, %(session_id)s, %(user_agent)s, %(token_hash)s FROM account
    RETURNING owner_id, id
),

known AS (
    INSERT INTO known_addresses (owner_id, address_hash)
    SELECT owner_id, %(address_hash)s FROM started
    ON CONFLICT (owner_id, address_hash) DO UPDATE SET last_login_at = excluded.last_login_at
)

SELECT id FROM started
