-- Reads a label.
-- No row: no such label.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, version bigint, document json
SELECT id, version, document
FROM labels
WHERE owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
