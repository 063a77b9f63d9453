-- Reads the file of an import.
-- No row: no such import, or it has ended.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns file bytea
SELECT file
FROM imports
WHERE owner_id = %(owner_id)s AND id = %(id)s AND file IS NOT NULL
