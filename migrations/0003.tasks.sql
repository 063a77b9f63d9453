-- Tasks, and a hash-chained ledger of every change to them.
-- depends: 0001.users

-- Functions call each other by qualified names: pg_restore loads data with an empty search_path.
--
-- They are IMMUTABLE although to_char and the JSON builders are only STABLE: with these formats and
-- argument types their output depends on no setting.

CREATE FUNCTION utc(at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

COMMENT ON FUNCTION utc(timestamptz) IS 'RFC 3339 timestamp in UTC with microseconds.';

CREATE FUNCTION uuidv7_at(at timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
    SELECT (
        lpad(to_hex(floor(extract(EPOCH FROM at) * 1000)::bigint), 12, '0')
        || to_hex(28672 + extract(MICROSECONDS FROM at)::integer % 1000)
        || right(replace(gen_random_uuid()::text, '-', ''), 16)
    )::uuid
$$;

COMMENT ON FUNCTION uuidv7_at(timestamptz) IS
'Version 7 UUID (RFC 9562) of a time: 48 bits of milliseconds, 12 of microseconds, 62 random.';

CREATE FUNCTION task_document(
    id uuid,
    owner_id uuid,
    title text,
    description text,
    completed_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    version bigint
) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT json_build_object(
        'id', id,
        'owner_id', owner_id,
        'title', title,
        'description', description,
        'is_completed', completed_at IS NOT NULL,
        'completed_at', public.utc(completed_at),
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    )
$$;

COMMENT ON FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint
) IS
'A task as the API returns it.';

CREATE FUNCTION ledger_hash(
    previous bytea,
    version bigint,
    task_id uuid,
    action text,
    at timestamptz,
    request_id text,
    session_id uuid,
    task json
) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT sha256(
        previous || convert_to(
            json_build_array(version, task_id, action, public.utc(at), request_id, session_id, task)::text,
            'UTF8'
        )
    )
$$;

COMMENT ON FUNCTION ledger_hash(bytea, bigint, uuid, text, timestamptz, text, uuid, json) IS
'SHA-256 of the previous entry''s hash followed by this entry as a JSON array.';

CREATE FUNCTION ledger_link(
    state bytea,
    beginning bytea,
    version bigint,
    task_id uuid,
    action text,
    at timestamptz,
    request_id text,
    session_id uuid,
    task json
) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT public.ledger_hash(
        coalesce(state, beginning), version, task_id, action, at, request_id, session_id, task
    )
$$;

COMMENT ON FUNCTION ledger_link(
    bytea, bytea, bigint, uuid, text, timestamptz, text, uuid, json
) IS
'Transition function of ledger_chain.';

CREATE AGGREGATE ledger_chain (
    bytea, bigint, uuid, text, timestamptz, text, uuid, json
)(
    sfunc = ledger_link,
    stype = bytea
);

COMMENT ON AGGREGATE ledger_chain (
    bytea, bigint, uuid, text, timestamptz, text, uuid, json
) IS
'Hash of the last of several ordered entries; the first argument is the hash of the entry before them.';

CREATE TABLE ledgers (
    owner_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT now(),
    hash bytea NOT NULL DEFAULT sha256(''),
    pruned_version bigint NOT NULL DEFAULT 0,
    pruned_hash bytea NOT NULL DEFAULT sha256(''),
    prune_count integer NOT NULL DEFAULT 0,
    CONSTRAINT ledgers_pkey PRIMARY KEY (owner_id),
    CONSTRAINT ledgers_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ledgers_versions_ordered CHECK (pruned_version BETWEEN 0 AND version),
    CONSTRAINT ledgers_hash_lengths CHECK (
        octet_length(hash) = 32 AND octet_length(pruned_hash) = 32
    )
) WITH (fillfactor = 50);

COMMENT ON TABLE ledgers IS
'One row per owner: the version counter and the head of the hash chain, locked by each change.';
COMMENT ON COLUMN ledgers.changed_at IS 'Time of the last change; strictly increasing.';
COMMENT ON COLUMN ledgers.hash IS 'Hash of the newest entry.';
COMMENT ON COLUMN ledgers.pruned_version IS 'Version of the newest pruned entry; 0 before the first prune.';
COMMENT ON COLUMN ledgers.pruned_hash IS 'Hash of the newest pruned entry: the start of the chain.';
COMMENT ON COLUMN ledgers.prune_count IS 'Number of prunes.';

CREATE TABLE tasks (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    title text COLLATE "C" NOT NULL,
    description text,
    completed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL,
    last_action text NOT NULL,
    title_folded text COLLATE "C" NOT NULL,
    description_folded text COLLATE "C" NOT NULL,
    is_completed boolean NOT NULL GENERATED ALWAYS AS (completed_at IS NOT NULL) STORED,
    document json NOT NULL GENERATED ALWAYS AS (
        task_document(
            id, owner_id, title, description, completed_at, created_at, updated_at, version
        )
    ) STORED,
    CONSTRAINT tasks_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT tasks_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT tasks_version_positive CHECK (version > 0),
    CONSTRAINT tasks_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
    CONSTRAINT tasks_description_length CHECK (char_length(description) <= 5000),
    CONSTRAINT tasks_last_action CHECK (
        last_action IN ('create', 'update', 'complete', 'reopen', 'delete', 'restore')
    ),
    CONSTRAINT tasks_deleted_last CHECK ((last_action = 'delete') = (deleted_at IS NOT NULL))
);

-- Partial, so that without statistics the planner can't use them to look a task up by id.
CREATE UNIQUE INDEX tasks_owner_version ON tasks (owner_id, version) WHERE version > 0;
CREATE INDEX tasks_owner_trash ON tasks (owner_id, version)
WHERE version > 0 AND deleted_at IS NOT NULL;

COMMENT ON TABLE tasks IS 'Tasks, including those in the trash (deleted_at is not null).';
COMMENT ON COLUMN tasks.id IS 'UUIDv7 of created_at: ids sort in the order of creation.';
COMMENT ON COLUMN tasks.version IS 'ledgers.version at the last change; same order as updated_at.';
COMMENT ON COLUMN tasks.title_folded IS
'The title, case-folded and in NFKC by the application, for search.';
COMMENT ON COLUMN tasks.description_folded IS 'The description, folded likewise; empty where description is null.';
COMMENT ON COLUMN tasks.document IS 'The task as the API returns it, computed once per change.';

CREATE TABLE ledger_entries (
    owner_id uuid NOT NULL,
    version bigint NOT NULL,
    task_id uuid NOT NULL,
    action text NOT NULL,
    at timestamptz NOT NULL,
    request_id text NOT NULL,
    session_id uuid,
    task json,
    hash bytea NOT NULL,
    CONSTRAINT ledger_entries_pkey PRIMARY KEY (owner_id, version),
    CONSTRAINT ledger_entries_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT ledger_entries_action CHECK (
        action IN ('create', 'update', 'complete', 'reopen', 'delete', 'restore')
    ),
    CONSTRAINT ledger_entries_task_gone CHECK ((action = 'delete') = (task IS NULL)),
    CONSTRAINT ledger_entries_hash_length CHECK (octet_length(hash) = 32)
);

CREATE INDEX ledger_entries_task ON ledger_entries (owner_id, task_id, version);

COMMENT ON TABLE ledger_entries IS
'One row per change to a task; never updated, deleted only by pruning or with the account.';
COMMENT ON COLUMN ledger_entries.task IS 'The task after the change, as the API returned it; null for a deletion.';
COMMENT ON COLUMN ledger_entries.session_id IS 'The session that made the change; null for the command line.';

CREATE FUNCTION keep_ledger_entries() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (
        SELECT FROM ledgers
        WHERE ledgers.owner_id = OLD.owner_id AND ledgers.pruned_version < OLD.version
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'ledger entries can''t be changed or removed'
        USING ERRCODE = 'restrict_violation',
              HINT = 'Only pruning the ledger or erasing the account removes entries.';
END
$$;

CREATE TRIGGER ledger_entries_kept BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION keep_ledger_entries();

CREATE TRIGGER ledger_entries_not_truncated BEFORE TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION keep_ledger_entries();

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
    CONSTRAINT idempotency_keys_key_length CHECK (char_length(key) BETWEEN 1 AND 255)
);

CREATE INDEX idempotency_keys_owner_age ON idempotency_keys (owner_id, created_at);

COMMENT ON TABLE idempotency_keys IS
'Responses to writes with an Idempotency-Key, stored in the write''s transaction, kept for 24 hours.';
