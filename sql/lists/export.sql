-- Reads all lists outside the trash in their order; run through a server-side cursor.
-- No row: there are no lists.
-- @reads
-- @param owner_id uuid
-- @returns document json
SELECT document
FROM lists
WHERE owner_id = %(owner_id)s AND deleted_at IS NULL
ORDER BY position, id
