CREATE OR REPLACE VIEW audit_rows_per_owner WITH (security_invoker = TRUE) AS
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

DROP TABLE second_factors;

ALTER TABLE login_attempts DROP COLUMN previous_failure_at;

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

DELETE FROM auth_events
WHERE event IN ('second factor on', 'second factor off', 'recovery code used');

ALTER TABLE auth_events
DROP CONSTRAINT auth_events_event,
ADD CONSTRAINT auth_events_event CHECK (
    event IN (
        'registered', 'erased', 'disabled', 'enabled', 'password changed',
        'logged in', 'session ended', 'token made', 'token ended', 'refused', 'throttled'
    )
);
