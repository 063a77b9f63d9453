-- Reads all tasks outside the trash, the oldest first, through a cursor.
-- No row: there are none.
SELECT document
FROM tasks
WHERE owner_id = %(owner_id)s AND deleted_at IS NULL
ORDER BY id
