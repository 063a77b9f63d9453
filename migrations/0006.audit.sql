-- The audit trail: a table of authentication events, which an erasure of the account removes but for
-- the event 'erased', and views of changes, authentication events, open sessions, row counts per
-- owner and ledgers whose hash chain is broken.
-- depends: 0005.row-security

-- Append-only: the service may insert refusals only, the triggers below insert all other events.
-- Accounts appear by id and keyed hash only, so that rows can outlive them.
CREATE TABLE auth_events (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event text NOT NULL,
    owner_id uuid,
    session_id uuid,
    account_hash bytea,
    address_hash bytea,
    CONSTRAINT auth_events_pkey PRIMARY KEY (id),
    CONSTRAINT auth_events_event CHECK (
        event IN (
            'registered', 'erased', 'disabled', 'enabled', 'password changed',
            'logged in', 'session ended', 'refused', 'throttled'
        )
    )
);

CREATE INDEX auth_events_at ON auth_events (at);
CREATE INDEX auth_events_owner ON auth_events (owner_id, at);
CREATE INDEX auth_events_account ON auth_events (account_hash) WHERE account_hash IS NOT NULL;

COMMENT ON TABLE auth_events IS 'Account and authentication events; no retention limit of its own.';
COMMENT ON COLUMN auth_events.account_hash IS
'Keyed hash of the e-mail of a refused or throttled log-in, as in login_attempts.';

CREATE FUNCTION note_auth_event() RETURNS trigger
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

REVOKE EXECUTE ON FUNCTION note_auth_event() FROM public;

-- ownrow_app may not delete events except through this function, which deletes only those of an
-- account that has been erased, and works once per account.
CREATE FUNCTION erase_auth_events(owner_id uuid, account_hashes bytea[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH erased AS (
        UPDATE public.auth_events
        SET owner_id = NULL
        WHERE
            auth_events.event = 'erased'
            AND auth_events.owner_id = erase_auth_events.owner_id
        RETURNING auth_events.id
    ),

    removed AS (
        DELETE FROM public.auth_events
        WHERE
            EXISTS (SELECT FROM erased)
            AND auth_events.event <> 'erased'
            AND (
                auth_events.owner_id = erase_auth_events.owner_id
                OR auth_events.account_hash = ANY(erase_auth_events.account_hashes)
            )
        RETURNING auth_events.id
    )

    SELECT count(*) FROM removed
$$;

COMMENT ON FUNCTION erase_auth_events(uuid, bytea[]) IS
'Deletes the events of an erased account; its erased event stays, without owner_id.';

REVOKE EXECUTE ON FUNCTION erase_auth_events(uuid, bytea[]) FROM public;

CREATE TRIGGER users_noted AFTER INSERT OR DELETE ON users
FOR EACH ROW EXECUTE FUNCTION note_auth_event();

CREATE TRIGGER users_closing_noted AFTER UPDATE OF disabled_at ON users
FOR EACH ROW
WHEN (((old.disabled_at IS NULL) <> (new.disabled_at IS NULL)))
EXECUTE FUNCTION note_auth_event();

CREATE TRIGGER credentials_noted AFTER UPDATE OF password_hash ON credentials
FOR EACH ROW EXECUTE FUNCTION note_auth_event();

CREATE TRIGGER sessions_noted AFTER INSERT OR DELETE ON sessions
FOR EACH ROW EXECUTE FUNCTION note_auth_event();

CREATE POLICY owner ON auth_events FOR SELECT USING (owner_id = current_owner());
CREATE POLICY append ON auth_events FOR INSERT WITH CHECK (TRUE);
ALTER TABLE auth_events FORCE ROW LEVEL SECURITY;

-- security_invoker: the views run with the privileges of the reading role.

CREATE VIEW audit_changes WITH (security_invoker = TRUE) AS
SELECT
    ledger_entries.at,
    ledger_entries.owner_id,
    users.email,
    ledger_entries.kind,
    ledger_entries.action,
    ledger_entries.item_id,
    ledger_entries.version,
    ledger_entries.session_id,
    ledger_entries.request_id,
    ledger_entries.item
FROM ledger_entries
INNER JOIN users ON ledger_entries.owner_id = users.id;

COMMENT ON VIEW audit_changes IS
'Changes to items of all kinds; request_id is the one in the service''s log, session_id is null for the command line.';

CREATE VIEW audit_auth_events WITH (security_invoker = TRUE) AS
SELECT
    auth_events.at,
    auth_events.event,
    auth_events.owner_id,
    users.email,
    auth_events.session_id,
    auth_events.account_hash,
    auth_events.address_hash
FROM auth_events
LEFT JOIN users ON auth_events.owner_id = users.id;

COMMENT ON VIEW audit_auth_events IS
'Account and authentication events; email is null once the account is erased.';

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

CREATE VIEW audit_broken_ledgers WITH (security_invoker = TRUE) AS
WITH link AS (
    SELECT
        ledgers.owner_id,
        ledger_entries.version,
        lag(ledger_entries.version, 1, ledgers.pruned_version) OVER chain + 1 AS next_version,
        ledger_entries.hash,
        ledger_hash(
            lag(ledger_entries.hash, 1, ledgers.pruned_hash) OVER chain,
            ledger_entries.version,
            ledger_entries.kind,
            ledger_entries.item_id,
            ledger_entries.action,
            ledger_entries.at,
            ledger_entries.request_id,
            ledger_entries.session_id,
            ledger_entries.item
        ) AS next_hash
    FROM ledgers
    INNER JOIN ledger_entries
        ON
            ledgers.owner_id = ledger_entries.owner_id
            AND ledgers.pruned_version < ledger_entries.version
    WINDOW chain AS (PARTITION BY ledgers.owner_id ORDER BY ledger_entries.version)
),

newest AS (
    SELECT DISTINCT ON (owner_id) owner_id, version, hash
    FROM link
    ORDER BY owner_id ASC, version DESC
),

broken AS (
    SELECT owner_id, least(version, next_version) AS version
    FROM link
    WHERE version <> next_version OR hash <> next_hash
    UNION ALL
    SELECT ledgers.owner_id, ledgers.version
    FROM ledgers
    LEFT JOIN newest ON ledgers.owner_id = newest.owner_id
    WHERE
        ledgers.version <> coalesce(newest.version, ledgers.pruned_version)
        OR ledgers.hash <> coalesce(newest.hash, ledgers.pruned_hash)
)

SELECT owner_id, min(version) AS first_version
FROM broken
GROUP BY owner_id;

COMMENT ON VIEW audit_broken_ledgers IS
'Ledgers whose hash chain is broken, and the first broken version; see also flask ledger verify.';

DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;
    CREATE POLICY audit ON auth_events FOR SELECT TO ownrow_auditor USING (TRUE);
    -- Otherwise, with row security on, not even the table's owner could delete old events.
    CREATE POLICY retention ON auth_events TO ownrow_owner USING (TRUE) WITH CHECK (TRUE);
    GRANT EXECUTE ON FUNCTION erase_auth_events(uuid, bytea[]) TO ownrow_app;
    GRANT INSERT (event, account_hash, address_hash) ON auth_events TO ownrow_app;
    GRANT SELECT ON
        auth_events, audit_changes, audit_auth_events, audit_open_sessions, audit_rows_per_owner,
        audit_broken_ledgers
    TO ownrow_auditor;
END
$$;
