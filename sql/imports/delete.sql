-- Deletes an import with its file and report; a worker that has it stops. What it made stays.
-- No row: no such import.
-- @writes
-- @param owner_id uuid
-- @param id uuid
DELETE FROM imports
WHERE owner_id = %(owner_id)s AND id = %(id)s
