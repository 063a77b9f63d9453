-- The ledger: per owner a version counter and a hash chain of every change to the owner's items.
--
-- It keeps itself. A kind of item (tasks and, later, others) has a table with the columns owner_id,
-- id, version, last_action, updated_at, deleted_at, request_id, session_id and document, and the
-- trigger function record_change(), which no statement can go around:
--   1. A statement that changes an item locks its owner's row of ledgers, and gives the item the
--      next version (ledgers.version + 1) and a later time than ledgers.changed_at.
--   2. The trigger moves the head of the ledger by exactly that version, or fails, and appends the
--      entry. Only its own role may do either.
-- depends: 0001.accounts

-- Functions that an index, a generated column or the trigger calls name every function and operator
-- with its schema: a caller's search_path can't replace them, and pg_restore loads data with an
-- empty one. They are PL/pgSQL, whose parsed bodies are cached; an SQL function would be parsed
-- again by each statement. IMMUTABLE holds although to_char and the JSON builders are only STABLE:
-- with these formats and types their output depends on no setting.

CREATE FUNCTION utc(at timestamptz) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
END
$$;

COMMENT ON FUNCTION utc(timestamptz) IS 'RFC 3339 timestamp in UTC with microseconds.';

-- STABLE although it is random: each call in a statement is evaluated, and a distributed PostgreSQL
-- accepts it.
CREATE FUNCTION uuidv7_at(at timestamptz) RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN lpad(to_hex(floor(extract(EPOCH FROM at) * 1000)::bigint), 12, '0')
        || to_hex(28672 + extract(MICROSECONDS FROM at)::integer % 1000)
        || right(replace(gen_random_uuid()::text, '-', ''), 16);
END
$$;

COMMENT ON FUNCTION uuidv7_at(timestamptz) IS
'Version 7 UUID (RFC 9562) of a time: 48 bits of milliseconds, 12 of microseconds, 62 random.';

CREATE FUNCTION next_change_at(changed_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN greatest(statement_timestamp(), changed_at + interval '1 microsecond');

COMMENT ON FUNCTION next_change_at(timestamptz) IS
'The time of a change to a ledger last changed then: now, but never before or at the last change.';

CREATE FUNCTION trimmed(given text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.btrim(
        given,
        U&' \0009\000A\000B\000C\000D\001C\001D\001E\001F\0085\00A0\1680'
        '\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000'
    );
END
$$;

COMMENT ON FUNCTION trimmed(text) IS
'The text without white space (Unicode White_Space and U+001C to U+001F) at its ends.';

CREATE FUNCTION ledger_hash(
    previous bytea,
    version bigint,
    kind text,
    item_id uuid,
    action text,
    at timestamptz,
    request_id text,
    session_id uuid,
    item json
) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.sha256(
        previous OPERATOR(pg_catalog.||) pg_catalog.convert_to(
            pg_catalog.json_build_array(
                version, kind, item_id, action, public.utc(at), request_id, session_id, item
            )::pg_catalog.text,
            'UTF8'
        )
    );
END
$$;

COMMENT ON FUNCTION ledger_hash(bytea, bigint, text, uuid, text, timestamptz, text, uuid, json) IS
'SHA-256 of the previous entry''s hash followed by this entry as a JSON array.';

CREATE FUNCTION change_document(
    version bigint,
    kind text,
    action text,
    at timestamptz,
    id uuid,
    item json
) RETURNS json
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN json_build_object(
        'version', version,
        'kind', kind,
        'action', action,
        'at', public.utc(at),
        'id', id,
        'deleted', item IS NULL,
        'item', item
    );
END
$$;

COMMENT ON FUNCTION change_document(bigint, text, text, timestamptz, uuid, json) IS
'A change as the sync feed and the history return it; item is null for a deletion.';

-- The last two are inlined where they are called.

CREATE FUNCTION page_documents(listed json[], size integer) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(array_to_json(listed[:size]), '[]');

COMMENT ON FUNCTION page_documents(json[], integer) IS 'The first size documents as a JSON array.';

CREATE FUNCTION page_last(listed json[], size integer) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cardinality(listed) > size THEN listed[size] END;

COMMENT ON FUNCTION page_last(json[], integer) IS
'The last document of a page of that size where more documents follow; null on the last page.';

CREATE TABLE ledgers (
    owner_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT '-infinity',
    hash bytea NOT NULL DEFAULT sha256(''),
    pruned_version bigint NOT NULL DEFAULT 0,
    pruned_hash bytea NOT NULL DEFAULT sha256(''),
    prune_count integer NOT NULL DEFAULT 0,
    feed_tag text NOT NULL GENERATED ALWAYS AS (
        version::text || '-' || pruned_version::text
    ) STORED,
    CONSTRAINT ledgers_pkey PRIMARY KEY (owner_id),
    CONSTRAINT ledgers_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ledgers_versions_ordered CHECK (pruned_version BETWEEN 0 AND version)
) WITH (fillfactor = 50);

COMMENT ON TABLE ledgers IS
'One row per owner: the version counter and the head of the hash chain, locked by each change.';
COMMENT ON COLUMN ledgers.changed_at IS 'Time of the last change, -infinity before the first; strictly increasing.';
COMMENT ON COLUMN ledgers.hash IS 'Hash of the newest entry.';
COMMENT ON COLUMN ledgers.pruned_version IS 'Version of the newest pruned entry; 0 before the first prune.';
COMMENT ON COLUMN ledgers.pruned_hash IS 'Hash of the newest pruned entry: the start of the chain.';
COMMENT ON COLUMN ledgers.prune_count IS 'Number of prunes.';
COMMENT ON COLUMN ledgers.feed_tag IS
'Entity tag of feed, trash and history, which a prune changes without taking a version.';

CREATE TABLE ledger_entries (
    owner_id uuid NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    item_id uuid NOT NULL,
    action text NOT NULL,
    at timestamptz NOT NULL,
    request_id text NOT NULL,
    session_id uuid,
    item json,
    hash bytea NOT NULL,
    CONSTRAINT ledger_entries_pkey PRIMARY KEY (owner_id, version),
    CONSTRAINT ledger_entries_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE
);

CREATE INDEX ledger_entries_item ON ledger_entries (owner_id, item_id, version);

COMMENT ON TABLE ledger_entries IS
'One row per change to an item; never updated, deleted only by pruning or with the account.';
COMMENT ON COLUMN ledger_entries.kind IS 'What the item is: task.';
COMMENT ON COLUMN ledger_entries.action IS 'What happened; the kind''s table has a CHECK of its actions.';
COMMENT ON COLUMN ledger_entries.item IS 'The item after the change, as the API returned it; null for a deletion.';
COMMENT ON COLUMN ledger_entries.session_id IS 'The session that made the change; null for the command line.';

CREATE FUNCTION record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    new_item pg_catalog.json := CASE WHEN NEW.deleted_at IS NULL THEN NEW.document END;
    new_hash pg_catalog.bytea;
BEGIN
    UPDATE public.ledgers
    SET
        version = NEW.version,
        changed_at = NEW.updated_at,
        hash = public.ledger_hash(
            ledgers.hash, NEW.version, TG_ARGV[0], NEW.id, NEW.last_action, NEW.updated_at,
            NEW.request_id, NEW.session_id, new_item
        )
    WHERE
        ledgers.owner_id OPERATOR(pg_catalog.=) NEW.owner_id
        AND ledgers.version OPERATOR(pg_catalog.=) (NEW.version OPERATOR(pg_catalog.-) 1)
        AND ledgers.changed_at OPERATOR(pg_catalog.<) NEW.updated_at
        AND (
            NEW.owner_id OPERATOR(pg_catalog.=) OLD.owner_id
            AND NEW.id OPERATOR(pg_catalog.=) OLD.id
        ) IS NOT FALSE
    RETURNING ledgers.hash INTO new_hash;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a change does not take the next version of its owner''s ledger'
            USING ERRCODE = 'integrity_constraint_violation',
                HINT = 'Lock the row of ledgers, then set version to its version + 1 and updated_at to'
                    ' a time after its changed_at; owner_id and id never change.';
    END IF;

    INSERT INTO public.ledger_entries (
        owner_id, version, kind, item_id, action, at, request_id, session_id, item, hash
    ) VALUES (
        NEW.owner_id, NEW.version, TG_ARGV[0], NEW.id, NEW.last_action, NEW.updated_at,
        NEW.request_id, NEW.session_id, new_item, new_hash
    );
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION record_change() IS
'AFTER INSERT OR UPDATE row trigger of each kind''s table, its argument the kind: moves the head of the ledger by '
'one version and appends the entry.';

-- Whoever may execute it could attach it to a table of their own, and so forge entries.
REVOKE EXECUTE ON FUNCTION record_change() FROM public;

CREATE FUNCTION keep_ledger_entries() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (
        SELECT FROM public.ledgers
        WHERE ledgers.owner_id = OLD.owner_id AND ledgers.pruned_version < OLD.version
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'ledger entries can''t be changed or removed'
        USING ERRCODE = 'restrict_violation',
              HINT = 'Only pruning the ledger or erasing the account removes entries.';
END
$$;

CREATE TRIGGER ledger_entries_kept BEFORE DELETE OR UPDATE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION keep_ledger_entries();

CREATE TRIGGER ledger_entries_not_truncated BEFORE TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION keep_ledger_entries();

CREATE FUNCTION idempotency_key_lifetime() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '24 hours';

COMMENT ON FUNCTION idempotency_key_lifetime() IS 'How long the response to a request is kept under its key.';

CREATE TABLE idempotency_keys (
    owner_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint NOT NULL,
    etag text,
    location text,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner_id, key),
    CONSTRAINT idempotency_keys_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT idempotency_keys_printable CHECK (key ~ '^[\x20-\x7e]{1,255}$'),
    CONSTRAINT idempotency_keys_request_hash_length CHECK (octet_length(request_hash) = 32)
);

CREATE INDEX idempotency_keys_owner_age ON idempotency_keys (owner_id, created_at);

COMMENT ON TABLE idempotency_keys IS
'Responses to writes with an Idempotency-Key, stored in the write''s transaction.';
