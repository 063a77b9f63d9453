-- Locks the owner's account and credential, in the order in which writes lock them, if the session is
-- open and the password has not changed since it was checked (credentials.changed_at). The caller has
-- locked the ledger, by lock_ledger.
-- No row: the password was changed meanwhile, or the session or the account is gone.
-- @writes
-- @param owner_id uuid
-- @param password_changed_at timestamptz
-- @param session_id uuid
-- @returns id uuid
SELECT users.id
FROM users
INNER JOIN credentials ON users.id = credentials.owner_id
WHERE
    users.id = %(owner_id)s
    AND credentials.owner_id = %(owner_id)s
    AND credentials.changed_at = %(password_changed_at)s
    AND EXISTS (
        SELECT FROM sessions
        WHERE sessions.owner_id = %(owner_id)s AND sessions.id = %(session_id)s
    )
FOR UPDATE OF users, credentials
