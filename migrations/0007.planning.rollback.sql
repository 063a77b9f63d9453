DROP VIEW audit_rows_per_owner;
DROP VIEW items;
DROP TRIGGER tasks_recorded ON tasks;
ALTER TABLE tasks
DROP CONSTRAINT tasks_planned,
DROP CONSTRAINT tasks_list_fkey,
DROP CONSTRAINT tasks_parent_fkey,
DROP CONSTRAINT tasks_last_action,
DROP COLUMN facets,
DROP COLUMN document;
DROP FUNCTION is_planned(
    text, integer, uuid[], text, text, text, timestamptz, timestamptz, timestamptz, text, uuid, uuid
);
DROP FUNCTION task_facets(
    text, timestamptz, uuid, uuid, integer, uuid[], timestamptz, timestamptz, timestamptz,
    timestamptz, timestamptz
);
DROP FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, uuid, uuid, text, integer, uuid[], text, text, text,
    timestamptz, timestamptz, timestamptz, bigint
);

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
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.json_build_object(
        'id', id,
        'owner_id', owner_id,
        'title', title,
        'description', description,
        'is_completed', completed_at IS NOT NULL,
        'completed_at', public.utc(completed_at),
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint
) IS
'A task as the API returns it.';

-- The ledger's entries keep the actions: of the table, 'move' becomes 'update'.
ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY;
UPDATE tasks
SET last_action = 'update'
WHERE last_action = 'move';
ALTER TABLE tasks FORCE ROW LEVEL SECURITY;

ALTER TABLE tasks
DROP COLUMN list_id,
DROP COLUMN parent_id,
DROP COLUMN root_id,
DROP COLUMN is_parent,
DROP COLUMN position,
DROP COLUMN priority,
DROP COLUMN label_ids,
DROP COLUMN due,
DROP COLUMN start,
DROP COLUMN time_zone,
DROP COLUMN due_at,
DROP COLUMN due_begins_at,
DROP COLUMN start_at,
DROP COLUMN computed_zone,
DROP COLUMN deleted_from,
ADD CONSTRAINT tasks_last_action CHECK (
    last_action IN ('create', 'update', 'complete', 'reopen', 'delete', 'restore')
),
ADD COLUMN document json NOT NULL GENERATED ALWAYS AS (
    task_document(
        id, owner_id, title, description, completed_at, created_at, updated_at, version
    )
) STORED;

COMMENT ON COLUMN tasks.document IS 'The task as the API returns it, computed once per change.';

CREATE TRIGGER tasks_recorded AFTER INSERT OR UPDATE ON tasks
FOR EACH ROW EXECUTE FUNCTION record_change('task');

CREATE VIEW items WITH (security_invoker = TRUE) AS
SELECT
    tasks.owner_id,
    'task' AS kind,
    tasks.id,
    tasks.version,
    tasks.last_action,
    tasks.updated_at,
    tasks.deleted_at,
    tasks.document
FROM tasks;

COMMENT ON VIEW items IS 'The items of all kinds, with the columns that their ledger needs.';

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

COMMENT ON COLUMN ledger_entries.kind IS 'What the item is: task.';

DROP TABLE filters;
DROP FUNCTION filter_document(uuid, uuid, text, text, text, text, timestamptz, timestamptz, bigint);
DROP TABLE labels;
DROP FUNCTION label_document(uuid, uuid, text, text, text, timestamptz, timestamptz, bigint);
DROP TABLE lists;
DROP FUNCTION list_document(
    uuid, uuid, text, text, text, text, timestamptz, timestamptz, timestamptz, bigint
);
DROP FUNCTION is_known(text, bytea, text[], text, bytea);
DROP FUNCTION passes(jsonb, jsonpath, jsonb);
DROP FUNCTION matches(text, text, bytea[]);
DROP FUNCTION has_words(text, text, bytea[]);
DROP FUNCTION is_local_time(text);
DROP FUNCTION is_position(text);
DROP FUNCTION is_kept(json, json);
DROP FUNCTION first_position(bigint);
DROP FUNCTION list_tag(bigint, integer);
ALTER TABLE ledgers DROP COLUMN recompute_count;
ALTER TABLE users DROP COLUMN reminder_time, DROP COLUMN time_zone;

DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NOT NULL THEN
        GRANT SELECT ON items TO ownrow_app;
        GRANT SELECT ON items, audit_rows_per_owner TO ownrow_auditor;
    END IF;
END
$$;
