-- Replaces the owner's password hash where it is still the one that was checked, and the session
-- that asks has not ended.
-- No row: the password is another one now, or the session or the account is gone.
UPDATE credentials
SET password_hash = %(new_password_hash)s, changed_at = clock_timestamp()
WHERE
    credentials.owner_id = %(owner_id)s
    AND credentials.password_hash = %(password_hash)s
    AND EXISTS (
        SELECT FROM sessions
        WHERE sessions.owner_id = %(owner_id)s AND sessions.id = %(session_id)s
    )
RETURNING credentials.changed_at
