-- Spends a refresh token and stores its successor. The session is locked first: whatever ends it
-- at the same time comes before or after, never between.
-- No row: the token is unknown, spent or expired, its session is over or the account is closed.
WITH session AS (
    SELECT sessions.id
    FROM sessions
    INNER JOIN users ON sessions.owner_id = users.id
    WHERE
        sessions.owner_id = %(owner_id)s
        AND sessions.id = %(session_id)s
        AND sessions.created_at > now() - interval '90 days'
        AND users.id = %(owner_id)s
        AND users.disabled_at IS NULL
    FOR NO KEY UPDATE OF sessions
),

spent AS (
    UPDATE refresh_tokens
    SET spent_at = clock_timestamp()
    FROM session
    WHERE
        refresh_tokens.owner_id = %(owner_id)s
        AND refresh_tokens.session_id = session.id
        AND refresh_tokens.token_hash = %(token_hash)s
        AND refresh_tokens.spent_at IS NULL
        AND refresh_tokens.created_at > now() - interval '30 days'
    RETURNING refresh_tokens.owner_id, refresh_tokens.session_id
),

successor AS (
    INSERT INTO refresh_tokens (owner_id, session_id, token_hash)
    SELECT owner_id, session_id, %(successor_hash)s FROM spent
),

used AS (
    UPDATE sessions
    SET last_used_at = now()
    FROM spent
    WHERE
        sessions.owner_id = %(owner_id)s
        AND sessions.owner_id = spent.owner_id
        AND sessions.id = spent.session_id
)

SELECT
    users.id, users.email, utc(users.created_at) AS created_at, utc(users.updated_at) AS updated_at
FROM spent
INNER JOIN users ON spent.owner_id = users.id
WHERE users.id = %(owner_id)s
