-- Reads all tasks outside the trash whose list is not in the trash either, the oldest first; run
-- through a server-side cursor.
-- No row: there are no tasks.
-- @reads
-- @param owner_id uuid
-- @returns document json
SELECT document
FROM tasks
WHERE
    owner_id = %(owner_id)s
    AND deleted_at IS NULL
    AND (list_id IS NULL OR list_id IN (
        SELECT lists.id FROM lists
        WHERE lists.owner_id = %(owner_id)s AND lists.deleted_at IS NULL
    ))
ORDER BY id
