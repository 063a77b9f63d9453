-- API tokens: keys for programs, which an account makes for itself. Each is a session of its own
-- kind, so that its end reaches every worker, and its changes name it in the ledger, as for a log-in.
-- depends: 0009.worker

-- Before the first release no table is large.
-- squawk-ignore-file adding-field-with-default, ban-drop-constraint, ban-drop-not-null, ban-drop-view
-- squawk-ignore-file constraint-missing-not-valid, require-concurrent-index-creation

ALTER TABLE sessions
ADD COLUMN kind text NOT NULL DEFAULT 'login',
ALTER COLUMN token_hash DROP NOT NULL,
ADD CONSTRAINT sessions_kind CHECK (kind IN ('login', 'token')),
ADD CONSTRAINT sessions_refresh_token CHECK ((kind = 'login') = (token_hash IS NOT NULL));

COMMENT ON TABLE sessions IS
'One row per open session; id is the sid claim of its tokens. An API token is a session as well.';
COMMENT ON COLUMN sessions.kind IS
'login: started with a password, and refreshed; token: an API token, whose rest is in api_tokens.';
COMMENT ON COLUMN sessions.token_hash IS 'SHA-256 of the current refresh token; an API token has none.';

CREATE TABLE api_tokens (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_tokens_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT api_tokens_session_fkey FOREIGN KEY (owner_id, id) REFERENCES sessions (
        owner_id, id
    ) ON DELETE CASCADE,
    CONSTRAINT api_tokens_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_tokens_name_trimmed CHECK (name = trimmed(name)),
    CONSTRAINT api_tokens_scopes CHECK (
        cardinality(scopes) > 0
        AND scopes <@ ARRAY['tasks:read', 'tasks:write', 'webhooks', 'account:read']
    ),
    CONSTRAINT api_tokens_hash_length CHECK (octet_length(token_hash) = 32)
);

-- Not unique: 256 random bits need no such check, which could not be made where owners are sharded.
CREATE INDEX api_tokens_hash ON api_tokens (token_hash);

COMMENT ON TABLE api_tokens IS
'One row per API token; it is deleted with its session, which has the same id.';
COMMENT ON COLUMN api_tokens.scopes IS 'What the token may do; none includes another.';
COMMENT ON COLUMN api_tokens.token_hash IS 'SHA-256 of the token, which is stored nowhere.';
COMMENT ON COLUMN api_tokens.expires_at IS 'When it expires; null: never.';
COMMENT ON COLUMN api_tokens.last_used_at IS 'The hour in which it was used last; null: not yet.';

-- With row security nobody sees a token but its owner, and who names its hash. So that function needs
-- no role that would see all of them.
CREATE FUNCTION current_token_hash() RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN decode(nullif(current_setting('app.token_hash', TRUE), ''), 'hex');

COMMENT ON FUNCTION current_token_hash() IS
'Hash of the API token that the transaction looks up (app.token_hash); null where it is not set.';

CREATE FUNCTION find_api_token(token_hash bytea)
RETURNS TABLE (owner_id uuid, id uuid, scopes text[], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config('app.token_hash', encode(find_api_token.token_hash, 'hex'), TRUE);

    SELECT api_tokens.owner_id, api_tokens.id, api_tokens.scopes, api_tokens.expires_at
    FROM public.api_tokens
    WHERE api_tokens.token_hash = find_api_token.token_hash
$$;

COMMENT ON FUNCTION find_api_token(bytea) IS
'The API token of that hash: a request has nothing but the token to tell whose it is.';

REVOKE EXECUTE ON FUNCTION find_api_token(bytea) FROM public;

-- The audit trail

ALTER TABLE auth_events
DROP CONSTRAINT auth_events_event,
ADD CONSTRAINT auth_events_event CHECK (
    event IN (
        'registered', 'erased', 'disabled', 'enabled', 'password changed',
        'logged in', 'session ended', 'token made', 'token ended', 'refused', 'throttled'
    )
);

CREATE OR REPLACE FUNCTION note_auth_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    noted public.auth_events;
BEGIN
    CASE TG_TABLE_NAME || ' ' || TG_OP
    WHEN 'users INSERT' THEN
        noted.event := 'registered';
        noted.owner_id := NEW.id;
    WHEN 'users DELETE' THEN
        noted.event := 'erased';
        noted.owner_id := OLD.id;
    WHEN 'users UPDATE' THEN
        noted.event := CASE WHEN NEW.disabled_at IS NULL THEN 'enabled' ELSE 'disabled' END;
        noted.owner_id := NEW.id;
    WHEN 'credentials UPDATE' THEN
        noted.event := 'password changed';
        noted.owner_id := NEW.owner_id;
    WHEN 'sessions INSERT' THEN
        noted.event := CASE NEW.kind WHEN 'login' THEN 'logged in' ELSE 'token made' END;
        noted.owner_id := NEW.owner_id;
        noted.session_id := NEW.id;
    WHEN 'sessions DELETE' THEN
        noted.event := CASE OLD.kind WHEN 'login' THEN 'session ended' ELSE 'token ended' END;
        noted.owner_id := OLD.owner_id;
        noted.session_id := OLD.id;
    END CASE;
    INSERT INTO public.auth_events (event, owner_id, session_id)
    VALUES (noted.event, noted.owner_id, noted.session_id);
    RETURN NULL;
END
$$;

DROP VIEW audit_open_sessions;
DROP VIEW audit_rows_per_owner;

CREATE VIEW audit_open_sessions WITH (security_invoker = TRUE) AS
SELECT
    sessions.owner_id,
    users.email,
    sessions.id,
    sessions.kind,
    sessions.created_at,
    CASE sessions.kind
        WHEN 'login' THEN sessions.last_used_at ELSE api_tokens.last_used_at
    END AS last_used_at,
    sessions.user_agent,
    api_tokens.name AS token_name,
    api_tokens.scopes,
    api_tokens.expires_at
FROM sessions
INNER JOIN users ON sessions.owner_id = users.id
LEFT JOIN api_tokens ON sessions.owner_id = api_tokens.owner_id AND sessions.id = api_tokens.id
WHERE
    CASE sessions.kind
        WHEN 'login'
            THEN
                sessions.created_at > now() - session_lifetime()
                AND sessions.last_used_at > now() - session_idle_time()
        ELSE coalesce(api_tokens.expires_at > now(), TRUE)
    END;

COMMENT ON VIEW audit_open_sessions IS
'Sessions and API tokens that have neither ended nor expired.';

CREATE VIEW audit_rows_per_owner WITH (security_invoker = TRUE) AS
WITH owned AS (
    SELECT owner_id, kind || CASE WHEN deleted_at IS NULL THEN '' ELSE ' in trash' END AS what
    FROM items
    UNION ALL
    SELECT owner_id, 'completion' AS what FROM completions
    UNION ALL
    SELECT owner_id, 'ledger entry' AS what FROM ledger_entries
    UNION ALL
    SELECT owner_id, 'session' AS what FROM sessions
    UNION ALL
    SELECT owner_id, 'API token' AS what FROM api_tokens
    UNION ALL
    SELECT owner_id, 'idempotency key' AS what FROM idempotency_keys
    UNION ALL
    SELECT owner_id, 'known address' AS what FROM known_addresses
)

SELECT
    users.id AS owner_id,
    users.email,
    owned.what,
    count(*) AS number
FROM users
INNER JOIN owned ON users.id = owned.owner_id
GROUP BY users.id, users.email, owned.what;

COMMENT ON VIEW audit_rows_per_owner IS 'Number of rows per owner and kind.';

-- Row security and rights

CREATE POLICY owner ON api_tokens USING (owner_id = current_owner());
CREATE POLICY lookup ON api_tokens FOR SELECT USING (token_hash = current_token_hash());
ALTER TABLE api_tokens FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.sessions'::regclass) THEN
        ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY audit ON api_tokens FOR SELECT TO ownrow_auditor USING (TRUE);

    GRANT EXECUTE ON FUNCTION find_api_token(bytea) TO ownrow_app;
    GRANT INSERT (kind) ON sessions TO ownrow_app;
    GRANT SELECT (owner_id, id, name, scopes, created_at, expires_at, last_used_at),
        INSERT (owner_id, id, name, scopes, token_hash, expires_at),
        UPDATE (last_used_at) ON api_tokens TO ownrow_app;
    GRANT SELECT (kind) ON sessions TO ownrow_auditor;
    GRANT SELECT (owner_id, id, name, scopes, created_at, expires_at, last_used_at) ON api_tokens
    TO ownrow_auditor;
    GRANT SELECT ON audit_open_sessions, audit_rows_per_owner TO ownrow_auditor;
END
$$;
