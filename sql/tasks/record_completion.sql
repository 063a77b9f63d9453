-- Records that the present occurrence of a recurring task, which has just been written as completed, was
-- done; the parameters are what an undo restores.
-- @writes
-- @param occurrence text
-- @param recurrence text
-- @param recurrence_from text
-- @param recurrence_left integer
-- @param owner_id uuid
-- @param id uuid
INSERT INTO completions (
    owner_id, task_id, version, occurrence, completed_at, recurrence, recurrence_from,
    recurrence_left
)
SELECT
    owner_id, id, version, %(occurrence)s, updated_at, %(recurrence)s, %(recurrence_from)s,
    %(recurrence_left)s
FROM tasks
WHERE owner_id = %(owner_id)s AND id = %(id)s
