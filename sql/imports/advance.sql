-- Notes the steps that a worker has done in this transaction, and extends its lease.
-- No row: the lease has ended, or the import is gone; what was done must not be committed.
-- @writes
-- @param steps_done integer
-- @param steps integer
-- @param created integer
-- @param skipped integer
-- @param failed integer
-- @param lists integer
-- @param labels integer
-- @param filters integer
-- @param errors integer
-- @param warnings integer
-- @param lease interval
-- @param owner_id uuid
-- @param id uuid
-- @param leased_until timestamptz
-- @returns leased_until timestamptz
UPDATE imports
SET
    steps_done = %(steps_done)s,
    steps = %(steps)s,
    created = created + %(created)s,
    skipped = skipped + %(skipped)s,
    failed = failed + %(failed)s,
    lists = lists + %(lists)s,
    labels = labels + %(labels)s,
    filters = filters + %(filters)s,
    errors = errors + %(errors)s,
    warnings = warnings + %(warnings)s,
    attempts = 0,
    next_step_at = statement_timestamp() + %(lease)s::interval
WHERE
    owner_id = %(owner_id)s
    AND id = %(id)s
    AND next_step_at = %(leased_until)s
    AND finished_at IS NULL
RETURNING next_step_at AS leased_until
