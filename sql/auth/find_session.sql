-- Finds a session of the owner that has not been ended; an API token's has no access tokens.
-- No row: the owner has no such session.
-- @reads
-- @param owner_id uuid
-- @param session_id uuid
-- @returns id uuid
SELECT sessions.id
FROM sessions
WHERE
    sessions.owner_id = %(owner_id)s
    AND sessions.id = %(session_id)s
    AND sessions.kind = 'login'
