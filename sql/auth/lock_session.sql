-- Locks the owner's account and credential, in the order in which writes lock them, and the session,
-- if it was started by a log-in and is open. Until the commit nobody ends it, disables the account or
-- changes its password.
-- No row: the session or the account is gone, or the account is disabled.
-- @writes
-- @param owner_id uuid
-- @param session_id uuid
-- @returns id uuid
SELECT sessions.id
FROM users
INNER JOIN credentials ON users.id = credentials.owner_id
INNER JOIN sessions ON users.id = sessions.owner_id
WHERE
    users.id = %(owner_id)s
    AND users.disabled_at IS NULL
    AND credentials.owner_id = %(owner_id)s
    AND sessions.owner_id = %(owner_id)s
    AND sessions.id = %(session_id)s
    AND sessions.kind = 'login'
FOR NO KEY UPDATE OF users, credentials, sessions
