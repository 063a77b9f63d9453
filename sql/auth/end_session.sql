-- Ends a session and announces it in ended_sessions, which invalidates its access tokens. Deletes
-- up to 100 announcements older than one hour, whose access tokens have all expired.
-- No row: the session had ended already.
-- @writes
-- @param owner_id uuid
-- @param session_id uuid
-- @returns id uuid
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
