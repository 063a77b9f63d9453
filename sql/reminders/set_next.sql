-- Sets when the next reminders of tasks fire, which takes no version. The arrays have an element for
-- each task.
-- @writes
-- @param ids uuid[]
-- @param next_reminder_at timestamptz[]
-- @param owner_id uuid
UPDATE tasks
SET next_reminder_at = computed.next_reminder_at
FROM
    unnest(%(ids)s::uuid[], %(next_reminder_at)s::timestamptz[]) AS computed (id, next_reminder_at)
WHERE tasks.owner_id = %(owner_id)s AND tasks.id = computed.id
