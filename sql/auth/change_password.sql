-- Replaces the owner's password hash where the one that was checked is still there, which the time
-- of the last change tells, and the session that asks has not ended.
-- No row: the password is another one now, or the session or the account is gone.
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
