-- Reads all tasks outside the trash, the oldest first; run through a server-side cursor.
-- No row: there are no tasks.
-- @reads
-- @param owner_id uuid
-- @returns document json
SELECT document
FROM tasks
WHERE owner_id = %(owner_id)s AND deleted_at IS NULL
ORDER BY id
