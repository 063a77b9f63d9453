-- Reads the report of an import in the order of its rows, behind a number.
-- No row: there is no further one.
-- @reads
-- @param owner_id uuid
-- @param import_id uuid
-- @param after_number integer
-- @param limit bigint
-- @returns number integer, file text null, line integer null, kind text, outcome text
-- @returns item_id uuid null, notes json null
SELECT number, file, line, kind, outcome, item_id, notes
FROM import_rows
WHERE
    owner_id = %(owner_id)s
    AND import_id = %(import_id)s
    AND number > %(after_number)s
ORDER BY number
LIMIT %(limit)s
