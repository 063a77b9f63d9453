-- Imports: files of other services that a worker reads, and what it has told of each row of them.
-- depends: 0014.feeds

CREATE TABLE imports (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    source text NOT NULL,
    is_dry_run boolean NOT NULL,
    options json NOT NULL,
    file bytea,
    request_id text NOT NULL,
    session_id uuid,
    state text NOT NULL DEFAULT 'queued',
    failure text,
    steps_done integer NOT NULL DEFAULT 0,
    steps integer,
    created integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    lists integer NOT NULL DEFAULT 0,
    labels integer NOT NULL DEFAULT 0,
    filters integer NOT NULL DEFAULT 0,
    errors integer NOT NULL DEFAULT 0,
    warnings integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    next_step_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT imports_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT imports_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT imports_source CHECK (
        source IN (
            'todoist_csv', 'todoist_backup', 'ticktick', 'google_takeout', 'mstodo', 'vikunja',
            'ics', 'csv', 'ownrow'
        )
    ),
    CONSTRAINT imports_state CHECK (state IN ('queued', 'running', 'done', 'failed')),
    CONSTRAINT imports_file_length CHECK (octet_length(file) <= 10485760),
    CONSTRAINT imports_failure_length CHECK (char_length(failure) BETWEEN 1 AND 500),
    CONSTRAINT imports_finished CHECK (
        (finished_at IS NOT NULL) = (state IN ('done', 'failed'))
        AND (file IS NULL) = (finished_at IS NOT NULL)
        AND (failure IS NOT NULL) = (state = 'failed')
    ),
    CONSTRAINT imports_counts CHECK (
        steps_done >= 0 AND steps >= steps_done AND created >= 0 AND skipped >= 0 AND failed >= 0
        AND lists >= 0 AND labels >= 0 AND filters >= 0 AND errors >= 0 AND warnings >= 0
        AND attempts >= 0
    )
);

-- Of all owners: the worker looks for what is due.
CREATE INDEX imports_next_step_at ON imports (next_step_at) WHERE finished_at IS NULL;

COMMENT ON TABLE imports IS
'Files to be imported, and of those that have been, what came of it; at most 20 of an owner.';
COMMENT ON COLUMN imports.options IS
'How the file is to be read: time_zone, date_order, list_title and columns.';
COMMENT ON COLUMN imports.file IS 'The file as it was sent; removed when the import ends.';
COMMENT ON COLUMN imports.request_id IS 'The request that asked for it, which the ledger names.';
COMMENT ON COLUMN imports.failure IS 'Why it ended before its last row, in words for its owner.';
COMMENT ON COLUMN imports.steps_done IS 'How many of its steps are done: where a worker goes on.';
COMMENT ON COLUMN imports.steps IS 'How many steps there are; null until the file has been read.';
COMMENT ON COLUMN imports.created IS 'Tasks that it made; skipped and failed are rows with a task, too.';
COMMENT ON COLUMN imports.attempts IS
'How often workers have begun since it last went on: a file that ends them is given up.';
COMMENT ON COLUMN imports.next_step_at IS
'When a worker may take it. The one that has it sets it ahead, so that others leave it alone.';

CREATE TABLE import_rows (
    owner_id uuid NOT NULL,
    import_id uuid NOT NULL,
    number integer NOT NULL,
    file text,
    line integer,
    kind text NOT NULL,
    outcome text NOT NULL,
    item_id uuid,
    notes json,
    CONSTRAINT import_rows_pkey PRIMARY KEY (owner_id, import_id, number),
    CONSTRAINT import_rows_import_fkey FOREIGN KEY (owner_id, import_id) REFERENCES imports (
        owner_id, id
    ) ON DELETE CASCADE,
    CONSTRAINT import_rows_outcome CHECK (
        outcome IN ('created', 'skipped', 'failed', 'noted')
    ),
    CONSTRAINT import_rows_file_length CHECK (char_length(file) <= 255)
);

CREATE INDEX import_rows_noted ON import_rows (
    owner_id, import_id, number
) WHERE notes IS NOT NULL;

COMMENT ON TABLE import_rows IS 'What came of each row of an import, up to 50,000 of them.';
COMMENT ON COLUMN import_rows.number IS 'Counted in the order in which the rows were handled, from 1.';
COMMENT ON COLUMN import_rows.file IS 'The file inside an archive.';
COMMENT ON COLUMN import_rows.line IS
'Where it begins: the line of a text, or the place among the things of a JSON file, from 1.';
COMMENT ON COLUMN import_rows.outcome IS
'noted: not a thing to be imported, or about the file as a whole.';
COMMENT ON COLUMN import_rows.notes IS
'Errors and warnings: an array of {"error", "field", "message"}; null without any.';

-- No item: it has no version, and nobody reads it but an import.
CREATE TABLE import_refs (
    owner_id uuid NOT NULL,
    source text NOT NULL,
    key bytea NOT NULL,
    kind text NOT NULL,
    item_id uuid NOT NULL,
    CONSTRAINT import_refs_pkey PRIMARY KEY (owner_id, source, key),
    CONSTRAINT import_refs_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT import_refs_key_length CHECK (octet_length(key) = 32)
);

COMMENT ON TABLE import_refs IS
'Which item was made of which thing of a source: the same thing is not imported twice.';
COMMENT ON COLUMN import_refs.key IS
'The SHA-256 of the kind, and of the thing''s id there, or of what stands for one.';

-- The one place where imports are looked for across owners. It tells whose they are, and nothing
-- that is in them: each is then claimed by a statement that names its owner. With row security, rows
-- of all owners are visible inside this function only, which sets app.worker while it runs.
CREATE FUNCTION due_imports(number integer)
RETURNS TABLE (owner_id uuid, id uuid, next_step_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('app.worker', 'on', TRUE);
    RETURN QUERY
        SELECT
            imports.owner_id,
            imports.id,
            imports.next_step_at
        FROM public.imports
        INNER JOIN public.users ON imports.owner_id = users.id
        WHERE
            users.disabled_at IS NULL
            AND imports.finished_at IS NULL
            AND imports.next_step_at <= statement_timestamp()
        ORDER BY imports.next_step_at
        LIMIT due_imports.number;
    PERFORM set_config('app.worker', '', TRUE);
END
$$;

COMMENT ON FUNCTION due_imports(integer) IS
'Ids and owners of imports that a worker may go on with; the longest waiting first.';

REVOKE EXECUTE ON FUNCTION due_imports(integer) FROM public;

-- The auditor's view

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
    SELECT owner_id, 'import' AS what FROM imports
    UNION ALL
    SELECT owner_id, 'import reference' AS what FROM import_refs
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

CREATE POLICY owner ON imports USING (owner_id = current_owner());
CREATE POLICY owner ON import_rows USING (owner_id = current_owner());
CREATE POLICY owner ON import_refs USING (owner_id = current_owner());
ALTER TABLE imports FORCE ROW LEVEL SECURITY;
ALTER TABLE import_rows FORCE ROW LEVEL SECURITY;
ALTER TABLE import_refs FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tasks'::regclass) THEN
        ALTER TABLE imports ENABLE ROW LEVEL SECURITY;
        ALTER TABLE import_rows ENABLE ROW LEVEL SECURITY;
        ALTER TABLE import_refs ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY worker ON imports FOR SELECT TO ownrow_owner USING (
        current_setting('app.worker', TRUE) = 'on'
    );
    CREATE POLICY audit ON imports FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON import_rows FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON import_refs FOR SELECT TO ownrow_auditor USING (TRUE);
    GRANT EXECUTE ON FUNCTION due_imports(integer) TO ownrow_app;
    GRANT SELECT, DELETE, INSERT (
        owner_id, id, source, is_dry_run, options, file, request_id, session_id
    ), UPDATE (
        file, state, failure, steps_done, steps, created, skipped, failed, lists, labels, filters,
        errors, warnings, attempts, next_step_at, finished_at
    ) ON imports TO ownrow_app;
    GRANT SELECT, INSERT, DELETE ON import_rows TO ownrow_app;
    GRANT SELECT, DELETE, INSERT (owner_id, source, key, kind, item_id), UPDATE (
        kind, item_id
    ) ON import_refs TO ownrow_app;
    GRANT SELECT (
        owner_id, id, source, is_dry_run, request_id, session_id, state, steps_done, steps, created,
        skipped, failed, lists, labels, filters, errors, warnings, attempts, next_step_at,
        created_at, finished_at
    ) ON imports TO ownrow_auditor;
    GRANT SELECT (
        owner_id, import_id, number, line, kind, outcome, item_id
    ) ON import_rows TO ownrow_auditor;
    GRANT SELECT ON import_refs TO ownrow_auditor;
END
$$;
