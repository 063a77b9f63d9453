-- Reads what became of a refresh token.
-- No row: it was never given out, or its session is over.
SELECT spent_at IS NOT NULL AS is_spent, spent_at > now() - interval '10 seconds' AS is_in_grace
FROM refresh_tokens
WHERE owner_id = %(owner_id)s AND session_id = %(session_id)s AND token_hash = %(token_hash)s
