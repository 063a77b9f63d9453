-- Counts the subtasks of a task that are not in the trash, the next level only.
-- @reads
-- @param owner_id uuid
-- @param parent_id uuid
-- @returns children bigint
SELECT count(*) AS children
FROM tasks
WHERE owner_id = %(owner_id)s AND parent_id = %(parent_id)s AND deleted_at IS NULL
