-- Ends a session, its access tokens included, and drops some announcements of ends that every
-- token has outlived.
-- No row: it was over already.
WITH ended AS (
    DELETE FROM sessions
    WHERE owner_id = %(owner_id)s AND id = %(session_id)s
    RETURNING id
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
)

SELECT id FROM ended
