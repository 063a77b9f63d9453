-- Ends the owner's sessions and API tokens except kept_session_id (null: all of them) and announces
-- them in ended_sessions, which invalidates API tokens and access tokens.
-- No row: there was no session to end.
-- @writes
-- @param owner_id uuid
-- @param kept_session_id uuid
-- @returns id uuid
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
