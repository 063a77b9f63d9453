-- Sets when the next reminders of tasks fire, which takes no version. The arrays have an element for
-- each task.
-- @writes
-- @param ids uuid[]
-- @param next_reminder_at timestamptz[]
-- @param owner_id uuid
WITH computed AS (
    SELECT each.id, each.next_reminder_at
    FROM
        unnest(%(ids)s::uuid[], %(next_reminder_at)s::timestamptz[]) AS each (id, next_reminder_at)
)

UPDATE tasks
SET next_reminder_at = computed.next_reminder_at
FROM computed
WHERE tasks.owner_id = %(owner_id)s AND tasks.id = computed.id
