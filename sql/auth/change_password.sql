-- Replaces the owner's password hash if the session is open and the password has not changed since
-- it was checked (credentials.changed_at).
-- No row: the password was changed meanwhile, or the session or the account is gone.
-- @writes
-- @param new_password_hash text
-- @param owner_id uuid
-- @param password_changed_at timestamptz
-- @param session_id uuid
-- @returns changed_at timestamptz
UPDATE credentials
SET password_hash = %(new_password_hash)s, changed_at = clock_timestamp()
WHERE
    credentials.owner_id = %(owner_id)s
    AND credentials.changed_at = %(password_changed_at)s
    AND EXISTS (
        SELECT FROM sessions
        WHERE sessions.owner_id = %(owner_id)s AND sessions.id = %(session_id)s
    )
RETURNING credentials.changed_at
