DROP VIEW audit_rows_per_owner;
DROP VIEW items;
DROP FUNCTION tasks_with_due_reminders(integer);
DROP TABLE reminder_firings;
DROP FUNCTION reminder_document(
    uuid, uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint
);
DROP TABLE completions;
DROP FUNCTION completion_document(text, timestamptz, bigint, bigint);
DROP TRIGGER tasks_recorded ON tasks;
DROP INDEX tasks_next_reminder;
DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NOT NULL THEN
        DROP POLICY reminders ON tasks;
    END IF;
END
$$;
ALTER TABLE tasks
DROP CONSTRAINT tasks_planned,
DROP CONSTRAINT tasks_last_action,
DROP COLUMN document;
DROP FUNCTION is_planned(
    text, integer, uuid[], text, text, text, timestamptz, timestamptz, timestamptz, text, uuid, uuid,
    text, text, text, integer, text[], timestamptz
);
DROP FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, uuid, uuid, text, integer, uuid[], text, text, text,
    timestamptz, text, text, text[], timestamptz, timestamptz, bigint
);

CREATE FUNCTION task_document(
    id uuid,
    owner_id uuid,
    title text,
    description text,
    completed_at timestamptz,
    list_id uuid,
    parent_id uuid,
    "position" text,
    priority integer,
    label_ids uuid[],
    due text,
    start text,
    time_zone text,
    due_at timestamptz,
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
        'list_id', list_id,
        'parent_id', parent_id,
        'position', "position",
        'priority', priority,
        'label_ids', label_ids,
        'due', due,
        'start', start,
        'time_zone', time_zone,
        'due_at', public.utc(due_at),
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, uuid, uuid, text, integer, uuid[], text, text, text,
    timestamptz, timestamptz, timestamptz, bigint
) IS 'A task as the API returns it.';

CREATE FUNCTION is_planned(
    "position" text,
    priority integer,
    label_ids uuid[],
    due text,
    start text,
    time_zone text,
    due_at timestamptz,
    due_begins_at timestamptz,
    start_at timestamptz,
    computed_zone text,
    parent_id uuid,
    root_id uuid
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN public.is_position("position")
        AND priority BETWEEN 0 AND 9
        AND pg_catalog.cardinality(label_ids) <= 50
        AND (due IS NULL OR public.is_local_time(due))
        AND (start IS NULL OR public.is_local_time(start))
        AND (time_zone IS NULL OR time_zone = computed_zone)
        AND (due IS NULL) = (due_at IS NULL)
        AND (due IS NULL) = (due_begins_at IS NULL)
        AND (start IS NULL) = (start_at IS NULL)
        AND (due IS NULL AND start IS NULL) = (computed_zone IS NULL)
        AND (parent_id IS NULL) = (root_id IS NULL);
END
$$;

COMMENT ON FUNCTION is_planned(
    text, integer, uuid[], text, text, text, timestamptz, timestamptz, timestamptz, text, uuid, uuid
) IS
'Whether the columns for planning are in their ranges and go together; priority is as in RFC 5545: 0 none, 1 highest.';

-- The ledger's entries keep the actions: of the table, 'skip' becomes 'update'.
ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY;
UPDATE tasks
SET last_action = 'update'
WHERE last_action = 'skip';
ALTER TABLE tasks FORCE ROW LEVEL SECURITY;

ALTER TABLE tasks
DROP COLUMN recurrence,
DROP COLUMN recurrence_basis,
DROP COLUMN recurrence_from,
DROP COLUMN recurrence_left,
DROP COLUMN reminders,
DROP COLUMN next_reminder_at,
DROP COLUMN computed_reminder_time,
ADD COLUMN document json NOT NULL GENERATED ALWAYS AS (
    task_document(
        id, owner_id, title, description, completed_at, list_id, parent_id, position, priority,
        label_ids, due, start, time_zone, due_at, created_at, updated_at, version
    )
) STORED,
ADD CONSTRAINT tasks_planned CHECK (
    is_planned(
        position, priority, label_ids, due, start, time_zone, due_at, due_begins_at, start_at,
        computed_zone, parent_id, root_id
    )
),
ADD CONSTRAINT tasks_last_action CHECK (
    last_action IN ('create', 'update', 'complete', 'reopen', 'move', 'delete', 'restore')
);

COMMENT ON COLUMN tasks.document IS 'The task as the API returns it, computed once per change.';

-- As PostgreSQL describes it, which flask ledger verify compares.
CREATE TRIGGER tasks_recorded AFTER INSERT OR UPDATE OF owner_id, id, title, description,
completed_at, created_at, updated_at, deleted_at, version, last_action, request_id, session_id,
title_folded, description_folded, list_id, parent_id, "position", priority, label_ids, due, start,
time_zone, deleted_from ON tasks
FOR EACH ROW EXECUTE FUNCTION record_change('task');

CREATE VIEW items WITH (security_invoker = TRUE) AS
SELECT
    owner_id, 'task' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    list_id, parent_id
FROM tasks
UNION ALL
SELECT
    owner_id, 'list' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    NULL AS list_id, NULL AS parent_id
FROM lists
UNION ALL
SELECT
    owner_id, 'label' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    NULL AS list_id, NULL AS parent_id
FROM labels
UNION ALL
SELECT
    owner_id, 'filter' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    NULL AS list_id, NULL AS parent_id
FROM filters;

COMMENT ON VIEW items IS
'The items of all kinds, with the columns that their ledger needs, and their place in an order.';

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

COMMENT ON COLUMN ledger_entries.kind IS 'What the item is: task, list, label or filter.';

ALTER TABLE users DROP COLUMN wants_mail, DROP COLUMN email_verified_at;

DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NOT NULL THEN
        GRANT SELECT ON items TO ownrow_app;
        GRANT SELECT ON items, audit_rows_per_owner TO ownrow_auditor;
    END IF;
END
$$;
