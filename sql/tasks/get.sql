-- Reads a task.
-- No row: no such task.
SELECT version, document
FROM tasks
WHERE owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
