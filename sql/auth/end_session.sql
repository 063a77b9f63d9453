-- Ends a session of that kind (login or token) and announces it in ended_sessions, which invalidates
-- its access tokens, or the API token. Deletes up to 100 announcements older than one hour, when no
-- process remembers such a token any more.
-- No row: there is no such session, or it had ended already.
-- @writes
-- @param owner_id uuid
-- @param session_id uuid
-- @param kind text
-- @returns id uuid
WITH ended AS (
    DELETE FROM sessions
    WHERE owner_id = %(owner_id)s AND id = %(session_id)s AND kind = %(kind)s
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
