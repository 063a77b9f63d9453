-- Lists the refresh tokens of a living session that matter to the one presented: itself, the unspent
-- one, and those spent so lately that they still answer.
-- No row with the presented hash: it was never given out, or its session is over.
SELECT
    refresh_tokens.token_hash,
    refresh_tokens.spent_at IS NOT NULL AS is_spent,
    coalesce(refresh_tokens.spent_at > now() - interval '10 seconds', FALSE) AS is_in_grace
FROM refresh_tokens
INNER JOIN users ON refresh_tokens.owner_id = users.id
WHERE
    refresh_tokens.owner_id = %(owner_id)s
    AND refresh_tokens.session_id = %(session_id)s
    AND users.id = %(owner_id)s
    AND users.disabled_at IS NULL
    AND (
        refresh_tokens.token_hash = %(token_hash)s
        OR refresh_tokens.spent_at IS NULL
        OR refresh_tokens.spent_at > now() - interval '10 seconds'
    )
