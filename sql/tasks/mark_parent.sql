-- Notes that a task has subtasks, which takes no version.
-- @writes
-- @param owner_id uuid
-- @param id uuid
UPDATE tasks
SET is_parent = TRUE
WHERE owner_id = %(owner_id)s AND id = %(id)s AND NOT is_parent
