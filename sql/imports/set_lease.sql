-- Sets the end of a worker's lease: later while it reads the file, and now when its turn is over.
-- No row: the lease has ended, or the import is gone.
-- @writes
-- @param lease interval
-- @param owner_id uuid
-- @param id uuid
-- @param leased_until timestamptz
-- @returns leased_until timestamptz
UPDATE imports
SET next_step_at = statement_timestamp() + %(lease)s::interval
WHERE
    owner_id = %(owner_id)s
    AND id = %(id)s
    AND next_step_at = %(leased_until)s
    AND finished_at IS NULL
RETURNING next_step_at AS leased_until
