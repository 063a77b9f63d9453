-- Lists up to limit tasks of all owners whose reminders have been due for the longest time.
-- No row: no reminder is due.
-- @reads
-- @param limit integer
-- @returns owner_id uuid, task_id uuid
SELECT owner_id, task_id
FROM tasks_with_due_reminders(%(limit)s::integer)
