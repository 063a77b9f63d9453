-- Recurrence and reminders: rules, the completions of recurring tasks, and each firing of a reminder.
--
-- A firing is an item of the ledger: it takes a version, so that feeds, webhooks and event streams
-- tell it in order with all else. Its primary key lets it happen once per occurrence.
-- depends: 0007.planning

-- It rewrites the table tasks in its transaction: before the first release no table is large.
-- squawk-ignore-file adding-field-with-default, ban-drop-column, ban-drop-constraint, ban-drop-function
-- squawk-ignore-file ban-drop-view, require-concurrent-index-creation, constraint-missing-not-valid

ALTER TABLE users
ADD COLUMN email_verified_at timestamptz,
ADD COLUMN wants_mail boolean NOT NULL DEFAULT TRUE;

COMMENT ON COLUMN users.email_verified_at IS
'When the user showed that mail to the address reaches them; null: no mail is sent to it.';
COMMENT ON COLUMN users.wants_mail IS 'Whether reminders reach the user by mail, too.';

-- Tasks. Their documents get more fields, so that the stored ones are computed again.

DROP VIEW audit_rows_per_owner;
DROP VIEW items;
DROP TRIGGER tasks_recorded ON tasks;
ALTER TABLE tasks
DROP CONSTRAINT tasks_planned,
DROP COLUMN document;
DROP FUNCTION is_planned(
    text, integer, uuid[], text, text, text, timestamptz, timestamptz, timestamptz, text, uuid, uuid
);
DROP FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, uuid, uuid, text, integer, uuid[], text, text, text,
    timestamptz, timestamptz, timestamptz, bigint
);

ALTER TABLE tasks
ADD COLUMN recurrence text,
ADD COLUMN recurrence_basis text NOT NULL DEFAULT 'due',
ADD COLUMN recurrence_from text COLLATE "C",
ADD COLUMN recurrence_left integer,
ADD COLUMN reminders text[] NOT NULL DEFAULT '{}',
ADD COLUMN next_reminder_at timestamptz,
ADD COLUMN computed_reminder_time text;

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
    recurrence text,
    recurrence_basis text,
    reminders text[],
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
        'recurrence', recurrence,
        'recurrence_basis', recurrence_basis,
        'reminders', reminders::pg_catalog.json[],
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, uuid, uuid, text, integer, uuid[], text, text, text,
    timestamptz, text, text, text[], timestamptz, timestamptz, bigint
) IS 'A task as the API returns it.';

-- One function, and one CHECK that calls it: a CHECK of each rule would cost each write 18 µs.
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
    root_id uuid,
    recurrence text,
    recurrence_basis text,
    recurrence_from text,
    recurrence_left integer,
    reminders text[],
    next_reminder_at timestamptz
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
        AND (parent_id IS NULL) = (root_id IS NULL)
        AND recurrence_basis IN ('due', 'due_strict', 'completion')
        AND (recurrence IS NULL) = (recurrence_from IS NULL)
        AND (
            CASE
                WHEN recurrence IS NULL THEN recurrence_left IS NULL
                ELSE due IS NOT NULL
                    AND pg_catalog.char_length(recurrence) <= 255
                    AND public.is_local_time(recurrence_from)
                    AND (recurrence_left IS NULL OR recurrence_left BETWEEN 1 AND 9999)
            END
        )
        AND pg_catalog.cardinality(reminders) <= 10
        AND (next_reminder_at IS NULL OR pg_catalog.cardinality(reminders) > 0);
END
$$;

COMMENT ON FUNCTION is_planned(
    text, integer, uuid[], text, text, text, timestamptz, timestamptz, timestamptz, text, uuid, uuid,
    text, text, text, integer, text[], timestamptz
) IS
'Whether the columns for planning are in their ranges and go together; priority is as in RFC 5545: 0 none, 1 highest.';

ALTER TABLE tasks
ADD COLUMN document json NOT NULL GENERATED ALWAYS AS (
    task_document(
        id, owner_id, title, description, completed_at, list_id, parent_id, position, priority,
        label_ids, due, start, time_zone, due_at, recurrence, recurrence_basis, reminders,
        created_at, updated_at, version
    )
) STORED,
ADD CONSTRAINT tasks_planned CHECK (
    is_planned(
        position, priority, label_ids, due, start, time_zone, due_at, due_begins_at, start_at,
        computed_zone, parent_id, root_id, recurrence, recurrence_basis, recurrence_from,
        recurrence_left, reminders, next_reminder_at
    )
),
DROP CONSTRAINT tasks_last_action,
ADD CONSTRAINT tasks_last_action CHECK (
    last_action IN ('create', 'update', 'complete', 'reopen', 'skip', 'move', 'delete', 'restore')
);

-- Of all owners: the worker looks for what is due.
CREATE INDEX tasks_next_reminder ON tasks (next_reminder_at)
WHERE next_reminder_at IS NOT NULL AND completed_at IS NULL AND deleted_at IS NULL;

COMMENT ON COLUMN tasks.document IS 'The task as the API returns it, computed once per change.';
COMMENT ON COLUMN tasks.recurrence IS 'RFC 5545 recurrence rule in normal form; null where the task does not recur.';
COMMENT ON COLUMN tasks.recurrence_basis IS
'What the next date is counted from: due (dates that are overdue are skipped), due_strict, or completion.';
COMMENT ON COLUMN tasks.recurrence_from IS 'The date of the rule''s grid behind due, which the user may have moved.';
COMMENT ON COLUMN tasks.recurrence_left IS
'Of a rule with COUNT: the dates that are left, the one of recurrence_from included.';
COMMENT ON COLUMN tasks.reminders IS 'Reminders, each as JSON: an offset from due or start, or an instant.';
COMMENT ON COLUMN tasks.next_reminder_at IS
'When the first pending reminder fires; those before it have fired or passed. Derived by the application.';
COMMENT ON COLUMN tasks.computed_reminder_time IS
'The owner''s reminder_time that next_reminder_at was computed with; null where it does not matter. Derived.';

-- Every column but the derived ones: a change of these alone is no change of the task. As PostgreSQL
-- describes it, which flask ledger verify compares.
CREATE TRIGGER tasks_recorded AFTER INSERT OR UPDATE OF owner_id, id, title, description,
completed_at, created_at, updated_at, deleted_at, version, last_action, request_id, session_id,
title_folded, description_folded, list_id, parent_id, "position", priority, label_ids, due, start,
time_zone, deleted_from, recurrence, recurrence_basis, recurrence_from, recurrence_left,
reminders ON tasks
FOR EACH ROW EXECUTE FUNCTION record_change('task');

-- Completions

CREATE FUNCTION completion_document(
    occurrence text, completed_at timestamptz, version bigint, undone_version bigint
) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN json_build_object(
    'occurrence', occurrence,
    'completed_at', utc(completed_at),
    'version', version,
    'undone', undone_version IS NOT NULL
);

COMMENT ON FUNCTION completion_document(text, timestamptz, bigint, bigint) IS
'A completion of a recurring task as the API returns it.';

CREATE TABLE completions (
    owner_id uuid NOT NULL,
    task_id uuid NOT NULL,
    version bigint NOT NULL,
    occurrence text NOT NULL,
    completed_at timestamptz NOT NULL,
    undone_version bigint,
    recurrence text NOT NULL,
    recurrence_from text NOT NULL,
    recurrence_left integer,
    CONSTRAINT completions_pkey PRIMARY KEY (owner_id, task_id, version),
    CONSTRAINT completions_task_fkey FOREIGN KEY (owner_id, task_id) REFERENCES tasks (
        owner_id, id
    ) ON DELETE CASCADE,
    CONSTRAINT completions_occurrence CHECK (is_local_time(occurrence)),
    CONSTRAINT completions_undone_later CHECK (undone_version > version)
);

COMMENT ON TABLE completions IS
'What was done when of recurring tasks; an undo restores recurrence_from and recurrence_left.';
COMMENT ON COLUMN completions.version IS 'The version that the task took when it was completed.';
COMMENT ON COLUMN completions.occurrence IS 'The due that was done.';
COMMENT ON COLUMN completions.recurrence IS 'The rule then; recurrence_left counts its dates.';
COMMENT ON COLUMN completions.undone_version IS 'The version that the task took when that was undone.';

-- Firings of reminders

CREATE FUNCTION reminder_document(
    id uuid,
    owner_id uuid,
    task_id uuid,
    occurrence text,
    reminder text,
    at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    version bigint
) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN json_build_object(
    'id', id,
    'owner_id', owner_id,
    'task_id', task_id,
    'occurrence', occurrence,
    'reminder', reminder::json,
    'at', utc(at),
    'created_at', utc(created_at),
    'updated_at', utc(updated_at),
    'version', version
);

COMMENT ON FUNCTION reminder_document(
    uuid, uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint
) IS 'A fired or missed reminder as the API returns it.';

CREATE TABLE reminder_firings (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    occurrence text NOT NULL,
    reminder text NOT NULL,
    at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL,
    last_action text NOT NULL,
    request_id text NOT NULL,
    session_id uuid,
    document json NOT NULL GENERATED ALWAYS AS (
        reminder_document(
            id, owner_id, task_id, occurrence, reminder, at, created_at, updated_at, version
        )
    ) STORED,
    CONSTRAINT reminder_firings_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT reminder_firings_once UNIQUE (owner_id, task_id, occurrence, reminder),
    CONSTRAINT reminder_firings_task_fkey FOREIGN KEY (owner_id, task_id) REFERENCES tasks (
        owner_id, id
    ) ON DELETE CASCADE,
    CONSTRAINT reminder_firings_last_action CHECK (last_action IN ('fire', 'miss')),
    CONSTRAINT reminder_firings_kept CHECK (deleted_at IS NULL)
);

CREATE UNIQUE INDEX reminder_firings_owner_version ON reminder_firings (owner_id, version)
WHERE version > 0;

COMMENT ON TABLE reminder_firings IS
'Reminders that fired, or that were missed as no worker ran within 24 hours. Pruned with the ledger.';
COMMENT ON COLUMN reminder_firings.occurrence IS
'The due or start that the reminder was relative to, and its zone; empty for a reminder at an instant.';
COMMENT ON COLUMN reminder_firings.reminder IS 'The reminder as JSON, as in tasks.reminders.';
COMMENT ON COLUMN reminder_firings.at IS 'When it was to fire; created_at is when it did.';
COMMENT ON COLUMN reminder_firings.deleted_at IS 'Always null: the trigger of the ledger reads it of every kind.';

CREATE TRIGGER reminder_firings_recorded AFTER INSERT OR UPDATE ON reminder_firings
FOR EACH ROW EXECUTE FUNCTION record_change('reminder');

-- It returns the tasks, and not their owners alone: each is then read by its key, where an index by
-- time would be searched through all owners' tasks for those of one. With row security, rows of all
-- owners are visible inside this function only, which sets app.worker while it runs.
CREATE FUNCTION tasks_with_due_reminders(number integer)
RETURNS TABLE (owner_id uuid, task_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM public.set_on_nodes('app.worker', 'on');
    RETURN QUERY
        SELECT tasks.owner_id, tasks.id
        FROM public.tasks
        WHERE
            tasks.next_reminder_at IS NOT NULL
            AND tasks.completed_at IS NULL
            AND tasks.deleted_at IS NULL
            AND tasks.next_reminder_at <= statement_timestamp()
        ORDER BY tasks.next_reminder_at
        LIMIT tasks_with_due_reminders.number;
    PERFORM public.set_on_nodes('app.worker', '');
END
$$;

COMMENT ON FUNCTION tasks_with_due_reminders(integer) IS
'The tasks, up to a number, whose reminders have been due for the longest time, for the worker.';

REVOKE EXECUTE ON FUNCTION tasks_with_due_reminders(integer) FROM public;

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
FROM filters
UNION ALL
SELECT
    owner_id, 'reminder' AS kind, id, version, last_action, updated_at, deleted_at, document,
    NULL AS position, NULL AS list_id, NULL AS parent_id
FROM reminder_firings;

COMMENT ON VIEW items IS
'The items of all kinds, with the columns that their ledger needs, and their place in an order.';

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

COMMENT ON COLUMN ledger_entries.kind IS 'What the item is: task, list, label, filter or reminder.';

-- Row security and rights

CREATE POLICY owner ON completions USING (owner_id = current_owner());
CREATE POLICY owner ON reminder_firings USING (owner_id = current_owner());

ALTER TABLE completions FORCE ROW LEVEL SECURITY;
ALTER TABLE reminder_firings FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tasks'::regclass) THEN
        ALTER TABLE completions ENABLE ROW LEVEL SECURITY;
        ALTER TABLE reminder_firings ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY audit ON completions FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON reminder_firings FOR SELECT TO ownrow_auditor USING (TRUE);
    -- For tasks_with_due_reminders(): with row security on, the table's owner sees no other rows.
    CREATE POLICY reminders ON tasks FOR SELECT TO ownrow_owner USING (
        next_reminder_at IS NOT NULL AND current_setting('app.worker', TRUE) = 'on'
    );

    GRANT EXECUTE ON FUNCTION tasks_with_due_reminders(integer) TO ownrow_app;
    GRANT UPDATE (wants_mail) ON users TO ownrow_app;
    GRANT UPDATE (
        recurrence, recurrence_basis, recurrence_from, recurrence_left, reminders, next_reminder_at,
        computed_reminder_time
    ) ON tasks TO ownrow_app;
    GRANT SELECT, INSERT, UPDATE (undone_version) ON completions TO ownrow_app;
    GRANT SELECT, INSERT ON reminder_firings TO ownrow_app;
    GRANT SELECT ON items TO ownrow_app;
    GRANT SELECT ON completions, reminder_firings, items, audit_rows_per_owner TO ownrow_auditor;
END
$$;
