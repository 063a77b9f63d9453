-- Ends a session, its access tokens included.
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
)

SELECT id FROM ended
