-- Reads a task.
-- No row: no such task, or its list is in the trash.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, version bigint, document json
SELECT id, version, document
FROM tasks
WHERE
    owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
    AND (list_id IS NULL OR (
        SELECT lists.deleted_at IS NULL FROM lists
        WHERE lists.owner_id = %(owner_id)s AND lists.id = tasks.list_id
    ))
