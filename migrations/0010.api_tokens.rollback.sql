DROP VIEW audit_open_sessions;
DROP VIEW audit_rows_per_owner;

-- With row security its force would hide the rows from the tables' owner.
ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY;
DELETE FROM sessions
WHERE kind = 'token';
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;

DROP FUNCTION find_api_token(bytea);
DROP TABLE api_tokens;
DROP FUNCTION current_token_hash();

ALTER TABLE sessions
DROP CONSTRAINT sessions_refresh_token,
DROP CONSTRAINT sessions_kind,
ALTER COLUMN token_hash SET NOT NULL,
DROP COLUMN kind;

COMMENT ON TABLE sessions IS 'One row per open session; id is the sid claim of its tokens.';
COMMENT ON COLUMN sessions.token_hash IS 'SHA-256 of the current refresh token.';

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
        noted.event := 'logged in';
        noted.owner_id := NEW.owner_id;
        noted.session_id := NEW.id;
    WHEN 'sessions DELETE' THEN
        noted.event := 'session ended';
        noted.owner_id := OLD.owner_id;
        noted.session_id := OLD.id;
    END CASE;
    INSERT INTO public.auth_events (event, owner_id, session_id)
    VALUES (noted.event, noted.owner_id, noted.session_id);
    RETURN NULL;
END
$$;

ALTER TABLE auth_events DROP CONSTRAINT auth_events_event;

UPDATE auth_events
SET event = CASE event WHEN 'token made' THEN 'logged in' ELSE 'session ended' END
WHERE event IN ('token made', 'token ended');

ALTER TABLE auth_events
ADD CONSTRAINT auth_events_event CHECK (
    event IN (
        'registered', 'erased', 'disabled', 'enabled', 'password changed',
        'logged in', 'session ended', 'refused', 'throttled'
    )
);

CREATE VIEW audit_open_sessions WITH (security_invoker = TRUE) AS
SELECT
    sessions.owner_id,
    users.email,
    sessions.id,
    sessions.created_at,
    sessions.last_used_at,
    sessions.user_agent
FROM sessions
INNER JOIN users ON sessions.owner_id = users.id
WHERE
    sessions.created_at > now() - session_lifetime()
    AND sessions.last_used_at > now() - session_idle_time();

COMMENT ON VIEW audit_open_sessions IS 'Sessions that have neither ended nor expired.';

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

DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NOT NULL THEN
        GRANT SELECT ON audit_open_sessions, audit_rows_per_owner TO ownrow_auditor;
    END IF;
END
$$;
