-- Reads a task.
-- No row: no such task.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, version bigint, document json
SELECT id, version, document
FROM tasks
WHERE owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
