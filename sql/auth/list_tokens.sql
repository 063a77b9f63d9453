-- Lists the refresh tokens of an open session that decide about the presented one: itself, the
-- unused one, and those used in the last 10 seconds (is_in_grace).
-- No row with the presented hash: the token was never issued, the session has ended, or the account
-- is disabled.
-- @reads
-- @param owner_id uuid
-- @param session_id uuid
-- @param token_hash bytea
-- @returns token_hash bytea, is_used boolean, is_in_grace boolean
SELECT
    refresh_tokens.token_hash,
    refresh_tokens.used_at IS NOT NULL AS is_used,
    coalesce(refresh_tokens.used_at > now() - interval '10 seconds', FALSE) AS is_in_grace
FROM refresh_tokens
INNER JOIN users ON refresh_tokens.owner_id = users.id
WHERE
    refresh_tokens.owner_id = %(owner_id)s
    AND refresh_tokens.session_id = %(session_id)s
    AND users.id = %(owner_id)s
    AND users.disabled_at IS NULL
    AND (
        refresh_tokens.token_hash = %(token_hash)s
        OR refresh_tokens.used_at IS NULL
        OR refresh_tokens.used_at > now() - interval '10 seconds'
    )
