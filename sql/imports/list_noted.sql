-- Reads the first rows of an import with errors or warnings.
-- No row: there are none.
-- @reads
-- @param owner_id uuid
-- @param import_id uuid
-- @param limit bigint
-- @returns file text null, line integer null, notes json
SELECT file, line, notes
FROM import_rows
WHERE
    owner_id = %(owner_id)s
    AND import_id = %(import_id)s
    AND notes IS NOT NULL
ORDER BY number
LIMIT %(limit)s
