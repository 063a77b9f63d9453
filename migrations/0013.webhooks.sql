-- Webhooks: addresses that are told an owner's changes. The ledger is their outbox: each has its own
-- position in it.
-- depends: 0012.account-links

-- Before the first release no table is large.
-- squawk-ignore-file ban-drop-view

-- What receivers call the changes; the actions are those of record_change().
CREATE FUNCTION webhook_event(kind text, action text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN kind || '.' || CASE action
    WHEN 'create' THEN 'created'
    WHEN 'update' THEN 'updated'
    WHEN 'complete' THEN 'completed'
    WHEN 'reopen' THEN 'reopened'
    WHEN 'skip' THEN 'skipped'
    WHEN 'move' THEN 'moved'
    WHEN 'archive' THEN 'archived'
    WHEN 'unarchive' THEN 'unarchived'
    WHEN 'delete' THEN 'deleted'
    WHEN 'restore' THEN 'restored'
    WHEN 'fire' THEN 'fired'
    WHEN 'miss' THEN 'missed'
END;

COMMENT ON FUNCTION webhook_event(text, text) IS
'The type of the event of a ledger entry, such as task.completed.';

CREATE TABLE webhooks (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    types text[],
    list_id uuid,
    secret bytea NOT NULL,
    previous_secret bytea,
    previous_secret_until timestamptz,
    delivered_version bigint NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    attempts bigint NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    disabled_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhooks_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT webhooks_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT webhooks_list_fkey FOREIGN KEY (owner_id, list_id) REFERENCES lists (
        owner_id, id
    ) ON DELETE CASCADE,
    CONSTRAINT webhooks_url_length CHECK (char_length(url) BETWEEN 8 AND 2048),
    CONSTRAINT webhooks_types_number CHECK (cardinality(types) BETWEEN 1 AND 100),
    CONSTRAINT webhooks_previous_secret CHECK (
        (previous_secret IS NULL) = (previous_secret_until IS NULL)
    ),
    CONSTRAINT webhooks_counts CHECK (delivered_version >= 0 AND failures >= 0 AND attempts >= 0),
    CONSTRAINT webhooks_disabled CHECK (
        (disabled_at IS NULL) = (disabled_reason IS NULL)
        AND disabled_reason IN ('failed', 'gone', 'owner', 'operator')
    )
);

CREATE INDEX webhooks_list ON webhooks (owner_id, list_id) WHERE list_id IS NOT NULL;
-- Of all owners: the worker looks for what is due.
CREATE INDEX webhooks_next_attempt ON webhooks (next_attempt_at) WHERE disabled_at IS NULL;

COMMENT ON TABLE webhooks IS
'Addresses that are told an owner''s changes, in the order of their versions.';
COMMENT ON COLUMN webhooks.types IS 'The types of events that it is told; null: all.';
COMMENT ON COLUMN webhooks.list_id IS
'The list whose events it is told, with those of its tasks; null: those of all items.';
COMMENT ON COLUMN webhooks.secret IS 'The key of its signatures, encrypted.';
COMMENT ON COLUMN webhooks.previous_secret IS
'The key before it, encrypted, by which events are signed as well until previous_secret_until.';
COMMENT ON COLUMN webhooks.delivered_version IS
'The version up to which each entry has been delivered, or is not to be.';
COMMENT ON COLUMN webhooks.failures IS
'How many attempts to deliver the next event have failed; 0 when one succeeds.';
COMMENT ON COLUMN webhooks.attempts IS 'How many attempts there have been; the number of the last one.';
COMMENT ON COLUMN webhooks.next_attempt_at IS
'When the next event may be delivered. A worker that delivers sets it ahead, so that others leave it alone.';
COMMENT ON COLUMN webhooks.disabled_reason IS
'failed: its attempts are used up; gone: the receiver answered 410; owner, operator: by them.';

CREATE TABLE webhook_attempts (
    owner_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    number bigint NOT NULL,
    version bigint NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    status integer,
    milliseconds integer NOT NULL,
    error text,
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (owner_id, webhook_id, number),
    CONSTRAINT webhook_attempts_webhook_fkey FOREIGN KEY (owner_id, webhook_id) REFERENCES webhooks (
        owner_id, id
    ) ON DELETE CASCADE,
    CONSTRAINT webhook_attempts_error_length CHECK (char_length(error) BETWEEN 1 AND 200)
);

COMMENT ON TABLE webhook_attempts IS 'The last 100 attempts of each webhook.';
COMMENT ON COLUMN webhook_attempts.number IS 'Counted for each webhook, from 1.';
COMMENT ON COLUMN webhook_attempts.version IS 'The version of the event.';
COMMENT ON COLUMN webhook_attempts.status IS 'The status of the answer; null where there was none.';
COMMENT ON COLUMN webhook_attempts.error IS
'Why it failed, in words of the service; null where it succeeded.';

-- The one place where webhooks are looked for across owners. It tells whose they are, and nothing
-- that is in them: each is then claimed by a statement that names its owner. With row security, rows
-- of all owners are visible inside this function only, which sets app.worker while it runs.
CREATE FUNCTION due_webhooks(number integer)
RETURNS TABLE (owner_id uuid, id uuid, is_failing boolean, due_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    disabled uuid[];
BEGIN
    PERFORM public.set_on_nodes('app.worker', 'on');
    -- In a statement of its own, as accounts may be on another server than what they own.
    disabled := ARRAY(SELECT users.id FROM public.users WHERE users.disabled_at IS NOT NULL);
    RETURN QUERY
        SELECT
            webhooks.owner_id,
            webhooks.id,
            webhooks.failures > 0,
            greatest(webhooks.next_attempt_at, ledgers.changed_at)
        FROM public.webhooks
        INNER JOIN public.ledgers ON webhooks.owner_id = ledgers.owner_id
        WHERE
            webhooks.owner_id <> ALL(disabled)
            AND webhooks.disabled_at IS NULL
            AND webhooks.next_attempt_at <= statement_timestamp()
            AND ledgers.version > webhooks.delivered_version
        ORDER BY webhooks.failures > 0, webhooks.next_attempt_at
        LIMIT due_webhooks.number;
    PERFORM public.set_on_nodes('app.worker', '');
END
$$;

COMMENT ON FUNCTION due_webhooks(integer) IS
'Ids and owners of webhooks with something to deliver, for the worker; those that do not fail come first.';

-- For an operator, who lists the webhooks of all accounts. It shows the host of an address only: the
-- path may be a secret of the receiver's.
CREATE FUNCTION list_webhooks(after_owner_id uuid, after_id uuid, number integer)
RETURNS TABLE (
    owner_id uuid, id uuid, host text, created_at timestamptz, undelivered bigint, failures integer,
    disabled_at timestamptz, disabled_reason text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM public.set_on_nodes('app.worker', 'on');
    RETURN QUERY
        SELECT
            webhooks.owner_id,
            webhooks.id,
            substring(webhooks.url FROM '^https?://[^/?#]+'),
            webhooks.created_at,
            greatest(ledgers.version - webhooks.delivered_version, 0),
            webhooks.failures,
            webhooks.disabled_at,
            webhooks.disabled_reason
        FROM public.webhooks
        INNER JOIN public.ledgers ON webhooks.owner_id = ledgers.owner_id
        WHERE
            (webhooks.owner_id, webhooks.id)
            > (list_webhooks.after_owner_id, list_webhooks.after_id)
        ORDER BY webhooks.owner_id, webhooks.id
        LIMIT list_webhooks.number;
    PERFORM public.set_on_nodes('app.worker', '');
END
$$;

COMMENT ON FUNCTION list_webhooks(uuid, uuid, integer) IS
'The webhooks of all accounts behind one of them, for the command line.';

CREATE FUNCTION count_troubled_webhooks()
RETURNS TABLE (failing bigint, disabled bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM public.set_on_nodes('app.worker', 'on');
    RETURN QUERY
        SELECT
            count(*) FILTER (WHERE webhooks.disabled_at IS NULL AND webhooks.failures > 0),
            count(*) FILTER (WHERE webhooks.disabled_reason IN ('failed', 'gone'))
        FROM public.webhooks;
    PERFORM public.set_on_nodes('app.worker', '');
END
$$;

COMMENT ON FUNCTION count_troubled_webhooks() IS
'How many webhooks of all accounts fail, and how many are disabled after that, for flask doctor.';

REVOKE EXECUTE ON FUNCTION count_troubled_webhooks() FROM public;
REVOKE EXECUTE ON FUNCTION due_webhooks(integer) FROM public;
REVOKE EXECUTE ON FUNCTION list_webhooks(uuid, uuid, integer) FROM public;

DROP VIEW audit_rows_per_owner;

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
    SELECT owner_id, 'second factor' AS what FROM second_factors
    UNION ALL
    SELECT owner_id, 'webhook' AS what FROM webhooks
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

CREATE POLICY owner ON webhooks USING (owner_id = current_owner());
CREATE POLICY owner ON webhook_attempts USING (owner_id = current_owner());
ALTER TABLE webhooks FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_attempts FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tasks'::regclass) THEN
        ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;
        ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY worker ON webhooks FOR SELECT TO ownrow_owner USING (
        current_setting('app.worker', TRUE) = 'on'
    );
    CREATE POLICY worker ON ledgers FOR SELECT TO ownrow_owner USING (
        current_setting('app.worker', TRUE) = 'on'
    );
    CREATE POLICY worker ON users FOR SELECT TO ownrow_owner USING (
        current_setting('app.worker', TRUE) = 'on'
    );
    CREATE POLICY audit ON webhooks FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON webhook_attempts FOR SELECT TO ownrow_auditor USING (TRUE);
    GRANT EXECUTE ON FUNCTION due_webhooks(integer), count_troubled_webhooks() TO ownrow_app;
    GRANT SELECT, DELETE, INSERT (
        owner_id, id, url, types, list_id, secret, delivered_version
    ), UPDATE (
        url, types, list_id, secret, previous_secret, previous_secret_until, delivered_version,
        failures, attempts, next_attempt_at, disabled_at, disabled_reason, updated_at
    ) ON webhooks TO ownrow_app;
    GRANT SELECT, INSERT, DELETE ON webhook_attempts TO ownrow_app;
    GRANT SELECT (
        owner_id, id, url, types, list_id, previous_secret_until, delivered_version, failures,
        attempts, next_attempt_at, disabled_at, disabled_reason, created_at, updated_at
    ) ON webhooks TO ownrow_auditor;
    GRANT SELECT ON webhook_attempts, audit_rows_per_owner TO ownrow_auditor;
END
$$;
