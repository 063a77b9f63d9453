-- Starts a session with its first refresh token, and drops the owner's sessions that ran out.
-- No row: the account is gone.
WITH expired AS (
    DELETE FROM sessions
    WHERE
        owner_id = %(owner_id)s
        AND (
            created_at <= now() - interval '90 days' OR last_used_at <= now() - interval '30 days'
        )
),

started AS (
    INSERT INTO sessions (owner_id, id, user_agent)
    SELECT id, %(session_id)s, %(user_agent)s
    FROM users
    WHERE id = %(owner_id)s AND disabled_at IS NULL
    RETURNING owner_id, id
),

token AS (
    INSERT INTO refresh_tokens (owner_id, session_id, token_hash)
    SELECT owner_id, id, %(token_hash)s FROM started
)

SELECT id FROM started
