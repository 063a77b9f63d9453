-- Calendar feeds: secret addresses at which calendar programs read an owner's tasks.
-- depends: 0013.webhooks

-- Before the first release no table is large.
-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid

CREATE TABLE feeds (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    list_id uuid,
    component text NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT feeds_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT feeds_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT feeds_list_fkey FOREIGN KEY (owner_id, list_id) REFERENCES lists (
        owner_id, id
    ) ON DELETE CASCADE,
    CONSTRAINT feeds_component CHECK (component IN ('todo', 'event')),
    CONSTRAINT feeds_hash_length CHECK (octet_length(secret_hash) = 32)
);

CREATE INDEX feeds_list ON feeds (owner_id, list_id) WHERE list_id IS NOT NULL;
-- Not unique: 256 random bits need no such check, which could not be made where owners are sharded.
CREATE INDEX feeds_hash ON feeds (secret_hash);

COMMENT ON TABLE feeds IS
'Calendar feeds: who knows the secret of one reads the tasks of its owner, or of one list.';
COMMENT ON COLUMN feeds.list_id IS 'The list whose tasks it has; null: those of all lists and the inbox.';
COMMENT ON COLUMN feeds.component IS 'What tasks are in it, unless its reader asks for the other: todo or event.';
COMMENT ON COLUMN feeds.secret_hash IS 'SHA-256 of the secret in its address, which is stored nowhere.';

-- With row security nobody sees a feed but its owner, and who names its hash. So that function needs
-- no role that would see all of them.
CREATE FUNCTION current_feed_hash() RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN decode(nullif(current_setting('app.feed_hash', TRUE), ''), 'hex');

COMMENT ON FUNCTION current_feed_hash() IS
'Hash of the feed''s secret that the transaction looks up (app.feed_hash); null where it is not set.';

CREATE FUNCTION find_feed(secret_hash bytea)
RETURNS TABLE (owner_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config('app.feed_hash', encode(find_feed.secret_hash, 'hex'), TRUE);

    SELECT feeds.owner_id, feeds.id
    FROM public.feeds
    WHERE feeds.secret_hash = find_feed.secret_hash
$$;

COMMENT ON FUNCTION find_feed(bytea) IS
'The feed of that hash: a request has nothing but the secret to tell whose it is.';

REVOKE EXECUTE ON FUNCTION find_feed(bytea) FROM public;

-- The audit trail

ALTER TABLE auth_events
DROP CONSTRAINT auth_events_event,
ADD CONSTRAINT auth_events_event CHECK (
    event IN (
        'registered', 'erased', 'disabled', 'enabled', 'password changed',
        'logged in', 'session ended', 'token made', 'token ended', 'second factor on',
        'second factor off', 'recovery code used', 'refused', 'throttled',
        'email verified', 'email changed', 'email change requested',
        'reset requested', 'password reset', 'feed made', 'feed ended'
    )
);

CREATE TRIGGER feeds_made AFTER INSERT ON feeds
FOR EACH ROW EXECUTE FUNCTION note_link_event('feed made', 'owner_id');

CREATE TRIGGER feeds_ended AFTER DELETE ON feeds
FOR EACH ROW EXECUTE FUNCTION note_link_event('feed ended', 'owner_id');

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
    SELECT owner_id, 'second factor' AS what FROM second_factors
    UNION ALL
    SELECT owner_id, 'webhook' AS what FROM webhooks
    UNION ALL
    SELECT owner_id, 'feed' AS what FROM feeds
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

-- Row security and rights

CREATE POLICY owner ON feeds USING (owner_id = current_owner());
CREATE POLICY lookup ON feeds FOR SELECT USING (secret_hash = current_feed_hash());
ALTER TABLE feeds FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tasks'::regclass) THEN
        ALTER TABLE feeds ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY audit ON feeds FOR SELECT TO ownrow_auditor USING (TRUE);

    GRANT EXECUTE ON FUNCTION find_feed(bytea) TO ownrow_app;
    GRANT SELECT (owner_id, id, list_id, component, created_at),
        INSERT (owner_id, id, list_id, component, secret_hash),
        DELETE ON feeds TO ownrow_app;
    GRANT SELECT (owner_id, id, list_id, component, created_at) ON feeds TO ownrow_auditor;
END
$$;
