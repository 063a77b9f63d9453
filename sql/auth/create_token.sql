-- Makes an API token and its session, with the same id, unless the owner has 100 living tokens. Deletes
-- the owner's expired ones. It runs behind lock_session, so that the number is exact.
-- No row: the owner has 100 living tokens.
-- @writes
-- @param owner_id uuid
-- @param id uuid
-- @param name text
-- @param scopes text[]
-- @param token_hash bytea
-- @param expires_at timestamptz
-- @returns id uuid, name text, scopes text[], created_at text, expires_at text null
-- @returns last_used_at text null
WITH expired AS (
    DELETE FROM sessions
    USING api_tokens
    WHERE
        sessions.owner_id = %(owner_id)s
        AND api_tokens.owner_id = %(owner_id)s
        AND sessions.id = api_tokens.id
        AND api_tokens.expires_at <= now()
),

living AS (
    SELECT count(*) AS number
    FROM api_tokens
    WHERE owner_id = %(owner_id)s AND coalesce(expires_at > now(), TRUE)
),

session AS (
    INSERT INTO sessions (owner_id, id, kind)
    SELECT %(owner_id)s, %(id)s, 'token'
    FROM living
    WHERE living.number < 100
    RETURNING id
)

INSERT INTO api_tokens (owner_id, id, name, scopes, token_hash, expires_at)
SELECT %(owner_id)s, session.id, %(name)s, %(scopes)s, %(token_hash)s, %(expires_at)s
FROM session
RETURNING
    api_tokens.id, api_tokens.name, api_tokens.scopes, utc(api_tokens.created_at) AS created_at,
    utc(api_tokens.expires_at) AS expires_at, utc(api_tokens.last_used_at) AS last_used_at
