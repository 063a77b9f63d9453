-- Locks the owner's ledger, account and credential, in the order in which writes lock them, if the
-- session is open and the password has not changed since it was checked (credentials.changed_at).
-- No row: the password was changed meanwhile, or the session or the account is gone.
-- @writes
-- @param owner_id uuid
-- @param password_changed_at timestamptz
-- @param session_id uuid
-- @returns id uuid
SELECT users.id
FROM ledgers
INNER JOIN users ON ledgers.owner_id = users.id
INNER JOIN credentials ON ledgers.owner_id = credentials.owner_id
WHERE
    ledgers.owner_id = %(owner_id)s
    AND users.id = %(owner_id)s
    AND credentials.owner_id = %(owner_id)s
    AND credentials.changed_at = %(password_changed_at)s
    AND EXISTS (
        SELECT FROM sessions
        WHERE sessions.owner_id = %(owner_id)s AND sessions.id = %(session_id)s
    )
FOR UPDATE OF ledgers, users, credentials
