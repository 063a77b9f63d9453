-- Marks a refresh token as used and stores its successor. Locks the session first, so that it can't
-- end in between.
-- No row: the token is unknown, used or expired, its session has ended or the account is disabled.
-- @writes
-- @param owner_id uuid
-- @param session_id uuid
-- @param token_hash bytea
-- @param successor_hash bytea
-- @returns id uuid, email text, created_at text, updated_at text
WITH session AS (
    SELECT sessions.id
    FROM sessions
    INNER JOIN users ON sessions.owner_id = users.id
    WHERE
        sessions.owner_id = %(owner_id)s
        AND sessions.id = %(session_id)s
        AND sessions.created_at > now() - session_lifetime()
        AND users.id = %(owner_id)s
        AND users.disabled_at IS NULL
    FOR NO KEY UPDATE OF sessions
),

used AS (
    UPDATE refresh_tokens
    SET used_at = clock_timestamp()
    FROM session
    WHERE
        refresh_tokens.owner_id = %(owner_id)s
        AND refresh_tokens.session_id = session.id
        AND refresh_tokens.token_hash = %(token_hash)s
        AND refresh_tokens.used_at IS NULL
        AND refresh_tokens.created_at > now() - session_idle_time()
    RETURNING refresh_tokens.owner_id, refresh_tokens.session_id
),

successor AS (
    INSERT INTO refresh_tokens (owner_id, session_id, token_hash)
    SELECT owner_id, session_id, %(successor_hash)s FROM used
),

touched AS (
    UPDATE sessions
    SET last_used_at = now()
    FROM used
    WHERE
        sessions.owner_id = %(owner_id)s
        AND sessions.owner_id = used.owner_id
        AND sessions.id = used.session_id
)

SELECT
    users.id, users.email, utc(users.created_at) AS created_at, utc(users.updated_at) AS updated_at
FROM used
INNER JOIN users ON used.owner_id = users.id
WHERE users.id = %(owner_id)s
