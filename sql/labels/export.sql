-- Reads all labels outside the trash in their order; run through a server-side cursor.
-- No row: there are no labels.
-- @reads
-- @param owner_id uuid
-- @returns document json
SELECT document
FROM labels
WHERE owner_id = %(owner_id)s AND deleted_at IS NULL
ORDER BY position, id
