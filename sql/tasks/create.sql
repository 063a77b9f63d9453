-- Adds a task, behind the others of its owner. Whether its list, parent and labels exist is the
-- caller's to know, after it has locked the ledger.
-- No row: the owner is gone, or the ledger's version is not in if_versions.
-- @writes
-- @param owner_id uuid
-- @param if_versions bigint[]
-- @param title text
-- @param title_folded text
-- @param description text
-- @param description_folded text
-- @param list_id uuid
-- @param parent_id uuid
-- @param root_id uuid
-- @param priority smallint
-- @param label_ids uuid[]
-- @param due text
-- @param start text
-- @param time_zone text
-- @param due_at timestamptz
-- @param due_begins_at timestamptz
-- @param start_at timestamptz
-- @param computed_zone text
-- @param recurrence text
-- @param recurrence_basis text
-- @param recurrence_from text
-- @param recurrence_left integer
-- @param reminders text[]
-- @param next_reminder_at timestamptz
-- @param computed_reminder_time text
-- @param request_id text
-- @param session_id uuid
-- @returns id uuid, version bigint, document json null
WITH ledger AS (
    SELECT owner_id, version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE
        owner_id = %(owner_id)s
        AND (%(if_versions)s::bigint[] IS NULL OR version = ANY(%(if_versions)s))
    FOR UPDATE
)

INSERT INTO tasks (
    owner_id, id, title, title_folded, description, description_folded,
    list_id, parent_id, root_id, position, priority, label_ids,
    due, start, time_zone, due_at, due_begins_at, start_at, computed_zone,
    recurrence, recurrence_basis, recurrence_from, recurrence_left,
    reminders, next_reminder_at, computed_reminder_time,
    created_at, updated_at, version, last_action, request_id, session_id
)
SELECT
    owner_id, uuidv7_at(at), %(title)s, %(title_folded)s, %(description)s,
    %(description_folded)s, %(list_id)s, %(parent_id)s, %(root_id)s, first_position(version),
    %(priority)s, %(label_ids)s, %(due)s, %(start)s, %(time_zone)s, %(due_at)s,
    %(due_begins_at)s, %(start_at)s, %(computed_zone)s, %(recurrence)s, %(recurrence_basis)s,
    %(recurrence_from)s, %(recurrence_left)s, %(reminders)s, %(next_reminder_at)s,
    %(computed_reminder_time)s, at, at, version, 'create',
    %(request_id)s, %(session_id)s
FROM ledger
RETURNING id, version, document
