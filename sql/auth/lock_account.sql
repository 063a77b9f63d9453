-- Locks the owner's ledger, account and credential, in the order in which writes take them, where
-- the password is still the one that was checked and the session that asks has not ended.
-- No row: the password is another one now, or the session or the account is gone.
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
