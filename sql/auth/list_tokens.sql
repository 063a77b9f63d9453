-- Lists the owner's living API tokens, the newest first.
-- No row: the owner has none.
-- @reads
-- @param owner_id uuid
-- @returns id uuid, name text, scopes text[], created_at text, expires_at text null
-- @returns last_used_at text null
SELECT
    id, name, scopes,
    utc(created_at) AS created_at, utc(expires_at) AS expires_at, utc(last_used_at) AS last_used_at
FROM api_tokens
WHERE owner_id = %(owner_id)s AND coalesce(expires_at > now(), TRUE)
ORDER BY created_at DESC, id ASC
