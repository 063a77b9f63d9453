-- Takes an import for the lease, in which no other worker goes on with it. Should this worker end
-- meanwhile, another one goes on where it was.
-- No row: another worker has it, or it has ended.
-- @writes
-- @param owner_id uuid
-- @param id uuid
-- @param lease interval
-- @returns leased_until timestamptz, source text, is_dry_run boolean, options json, request_id text
-- @returns session_id uuid null, steps_done integer, attempts integer, created_at timestamptz
WITH due AS (
    SELECT imports.id
    FROM imports
    WHERE
        imports.owner_id = %(owner_id)s
        AND imports.id = %(id)s
        AND imports.next_step_at <= statement_timestamp()
        AND imports.finished_at IS NULL
    FOR UPDATE SKIP LOCKED
)

UPDATE imports
SET
    state = 'running',
    attempts = imports.attempts + 1,
    next_step_at = statement_timestamp() + %(lease)s::interval
FROM due
WHERE imports.owner_id = %(owner_id)s AND imports.id = due.id
RETURNING
    imports.next_step_at AS leased_until, imports.source, imports.is_dry_run, imports.options,
    imports.request_id, imports.session_id, imports.steps_done, imports.attempts, imports.created_at
