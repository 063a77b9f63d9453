-- Ends the owner's sessions, their access tokens included; the one that is named, if any, goes on.
-- No row: there was none to end.
WITH ended AS (
    DELETE FROM sessions
    WHERE owner_id = %(owner_id)s AND id IS DISTINCT FROM %(kept_session_id)s::uuid
    RETURNING id
),

announced AS (
    INSERT INTO ended_sessions (session_id)
    SELECT id FROM ended
    ON CONFLICT (session_id) DO NOTHING
)

SELECT id FROM ended
