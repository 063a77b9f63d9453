-- Reads the tasks of the given ids, and every task in a tree of subtasks with one of them, also in
-- the trash, with all that a change needs.
-- No row: no such task.
-- @reads
-- @param owner_id uuid
-- @param ids uuid[]
-- @returns id uuid, title text, title_folded text, description text null, description_folded text
-- @returns is_completed boolean, list_id uuid null, parent_id uuid null, root_id uuid null
-- @returns position text, priority integer, label_ids uuid[], due text null, start text null
-- @returns time_zone text null, due_at timestamptz null, due_begins_at timestamptz null
-- @returns start_at timestamptz null, computed_zone text null, recurrence text null
-- @returns recurrence_basis text, recurrence_from text null, recurrence_left integer null
-- @returns reminders text[], next_reminder_at timestamptz null, computed_reminder_time text null
-- @returns is_deleted boolean
-- @returns deleted_from bigint null, is_list_deleted boolean, version bigint, document json
WITH root AS (
    SELECT coalesce(root_id, id) AS id
    FROM tasks
    WHERE owner_id = %(owner_id)s AND id = ANY(%(ids)s::uuid[])
)

SELECT
    id, title, title_folded, description, description_folded, is_completed, list_id, parent_id,
    root_id, position, priority::integer AS priority,
    label_ids, due, start,
    time_zone, due_at, due_begins_at, start_at,
    computed_zone, recurrence, recurrence_basis, recurrence_from, recurrence_left, reminders,
    next_reminder_at, computed_reminder_time, deleted_at IS NOT NULL AS is_deleted, deleted_from,
    list_id IS NOT NULL AND list_id IN (
        SELECT lists.id FROM lists
        WHERE lists.owner_id = %(owner_id)s AND lists.deleted_at IS NOT NULL
    ) AS is_list_deleted,
    version, document
FROM tasks
WHERE
    owner_id = %(owner_id)s
    AND (id = ANY(ARRAY(SELECT root.id FROM root)) OR root_id = ANY(ARRAY(SELECT root.id FROM root)))
ORDER BY id
