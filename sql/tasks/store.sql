-- Gives a task its next state; the caller has locked the ledger, and read the task and its
-- neighbours since.
-- No row: no such task.
-- @writes
-- @param owner_id uuid
-- @param title text
-- @param title_folded text
-- @param description text
-- @param description_folded text
-- @param is_completed boolean
-- @param list_id uuid
-- @param parent_id uuid
-- @param root_id uuid
-- @param position text
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
-- @param is_deleted boolean
-- @param deleted_from bigint
-- @param action text
-- @param request_id text
-- @param session_id uuid
-- @param id uuid
-- @returns id uuid, version bigint, document json null
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
)

UPDATE tasks
SET
    title = %(title)s,
    title_folded = %(title_folded)s,
    description = %(description)s,
    description_folded = %(description_folded)s,
    completed_at = CASE WHEN %(is_completed)s::boolean THEN coalesce(completed_at, ledger.at) END,
    list_id = %(list_id)s,
    parent_id = %(parent_id)s,
    root_id = %(root_id)s,
    position = %(position)s,
    priority = %(priority)s,
    label_ids = %(label_ids)s,
    due = %(due)s,
    start = %(start)s,
    time_zone = %(time_zone)s,
    due_at = %(due_at)s,
    due_begins_at = %(due_begins_at)s,
    start_at = %(start_at)s,
    computed_zone = %(computed_zone)s,
    recurrence = %(recurrence)s,
    recurrence_basis = %(recurrence_basis)s,
    recurrence_from = %(recurrence_from)s,
    recurrence_left = %(recurrence_left)s,
    reminders = %(reminders)s,
    next_reminder_at = %(next_reminder_at)s,
    computed_reminder_time = %(computed_reminder_time)s,
    deleted_at = CASE WHEN %(is_deleted)s::boolean THEN ledger.at END,
    deleted_from = %(deleted_from)s,
    updated_at = ledger.at,
    version = ledger.version,
    last_action = %(action)s,
    request_id = %(request_id)s,
    session_id = %(session_id)s
FROM ledger
WHERE tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s
RETURNING
    tasks.id, tasks.version,
    CASE WHEN tasks.deleted_at IS NULL THEN tasks.document END AS document
