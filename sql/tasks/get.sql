-- Reads a task.
-- No row: no such task.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns version bigint, document json
SELECT version, document
FROM tasks
WHERE owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
