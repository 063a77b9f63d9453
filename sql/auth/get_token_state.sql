-- Reads which refresh token of a session is the current one (number and hash), the hash of its parent,
-- and the lowest number that was used within the grace time, or else the current one.
-- No row: the session has ended or never was, or the account is disabled.
-- @reads
-- @param owner_id uuid
-- @param session_id uuid
-- @returns number bigint, token_hash bytea, parent_hash bytea null, grace_number bigint
SELECT
    sessions.token_number AS number,
    sessions.token_hash,
    sessions.parent_hash,
    coalesce(
        (
            SELECT min(used.number)
            FROM unnest(sessions.used_numbers, sessions.used_at) AS used (number, at)
            WHERE used.at > now() - refresh_grace_time()
        ),
        sessions.token_number
    ) AS grace_number
FROM sessions
INNER JOIN users ON sessions.owner_id = users.id
WHERE
    sessions.owner_id = %(owner_id)s
    AND sessions.id = %(session_id)s
    AND sessions.kind = 'login'
    AND users.id = %(owner_id)s
    AND users.disabled_at IS NULL
