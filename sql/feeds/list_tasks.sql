-- Reads the tasks outside the trash for a calendar, the oldest first: those of one list or, where it is
-- null, all; without those of lists that are in the trash, or are archived unless with_archived. Run
-- through a server-side cursor.
-- No row: there are no tasks.
-- @reads
-- @param owner_id uuid
-- @param list_id uuid
-- @param with_archived boolean
-- @returns id uuid, parent_id uuid null, title text, description text null, completed_at text null
-- @returns created_at text, updated_at text, due text null, start text null, time_zone text null
-- @returns computed_zone text null, computed_reminder_time text null, priority integer
-- @returns label_names text[], recurrence text null, recurrence_basis text, recurrence_from text null
-- @returns recurrence_left integer null, reminders text[]
SELECT
    tasks.id,
    tasks.parent_id,
    tasks.title,
    tasks.description,
    utc(tasks.completed_at) AS completed_at,
    utc(tasks.created_at) AS created_at,
    utc(tasks.updated_at) AS updated_at,
    tasks.due,
    tasks.start,
    tasks.time_zone,
    tasks.computed_zone,
    tasks.computed_reminder_time,
    tasks.priority::integer AS priority,
    ARRAY(
        SELECT labels.name FROM labels
        WHERE
            labels.owner_id = %(owner_id)s
            AND labels.id = ANY(tasks.label_ids)
            AND labels.deleted_at IS NULL
        ORDER BY labels.name
    ) AS label_names,
    tasks.recurrence,
    tasks.recurrence_basis,
    tasks.recurrence_from,
    tasks.recurrence_left,
    tasks.reminders
FROM tasks
WHERE
    tasks.owner_id = %(owner_id)s
    AND tasks.deleted_at IS NULL
    AND (%(list_id)s::uuid IS NULL OR tasks.list_id = %(list_id)s)
    AND (tasks.list_id IS NULL OR tasks.list_id IN (
        SELECT lists.id FROM lists
        WHERE
            lists.owner_id = %(owner_id)s
            AND lists.deleted_at IS NULL
            AND (lists.archived_at IS NULL OR %(with_archived)s)
    ))
ORDER BY tasks.id
