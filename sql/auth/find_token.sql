-- Finds the API token of a hash by a SECURITY DEFINER function: a request has nothing but the token to
-- tell whose it is. Expired ones, too.
-- No row: no such token, or it has been ended.
-- @reads
-- @param token_hash bytea
-- @returns owner_id uuid, id uuid, scopes text[], expires_at timestamptz null
SELECT owner_id, id, scopes, expires_at
FROM find_api_token(%(token_hash)s)
