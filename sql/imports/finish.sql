-- Ends an import, with a failure or at its last row, and removes its file.
-- No row: the lease has ended, or the import is gone.
-- @writes
-- @param failure text
-- @param owner_id uuid
-- @param id uuid
-- @param leased_until timestamptz
UPDATE imports
SET
    state = CASE WHEN %(failure)s::text IS NULL THEN 'done' ELSE 'failed' END,
    failure = %(failure)s,
    file = NULL,
    finished_at = now()
WHERE
    owner_id = %(owner_id)s
    AND id = %(id)s
    AND next_step_at = %(leased_until)s
    AND finished_at IS NULL
