-- Reads those of the given tasks whose reminders are due, with the time, and whether their list is
-- archived or in the trash.
-- No row: none is due, as it was completed, deleted or put off since.
-- @reads
-- @param owner_id uuid
-- @param ids uuid[]
-- @returns id uuid, title text, due text null, start text null, time_zone text null
-- @returns computed_zone text null, reminders text[], next_reminder_at timestamptz
-- @returns computed_reminder_time text null, is_hidden boolean, now timestamptz
SELECT
    tasks.id, tasks.title, tasks.due, tasks.start, tasks.time_zone, tasks.computed_zone,
    tasks.reminders, tasks.next_reminder_at, tasks.computed_reminder_time,
    tasks.list_id IS NOT NULL AND tasks.list_id IN (
        SELECT lists.id FROM lists
        WHERE
            lists.owner_id = %(owner_id)s
            AND (lists.archived_at IS NOT NULL OR lists.deleted_at IS NOT NULL)
    ) AS is_hidden,
    statement_timestamp() AS now
FROM tasks
WHERE
    tasks.owner_id = %(owner_id)s
    AND tasks.id = ANY(%(ids)s::uuid[])
    AND tasks.next_reminder_at <= statement_timestamp()
    AND tasks.completed_at IS NULL
    AND tasks.deleted_at IS NULL
ORDER BY tasks.next_reminder_at, tasks.id
