-- Marks a completion of a task as undone by the version that the task has just taken.
-- @writes
-- @param owner_id uuid
-- @param id uuid
-- @param completed_version bigint
UPDATE completions
SET undone_version = tasks.version
FROM tasks
WHERE
    completions.owner_id = %(owner_id)s
    AND completions.task_id = %(id)s
    AND completions.version = %(completed_version)s
    AND tasks.owner_id = %(owner_id)s
    AND tasks.id = %(id)s
