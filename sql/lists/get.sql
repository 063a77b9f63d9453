-- Reads a list.
-- No row: no such list.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, version bigint, document json
SELECT id, version, document
FROM lists
WHERE owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
