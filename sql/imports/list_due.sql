-- Lists up to limit imports of all owners that a worker may go on with, the longest waiting first.
-- No row: nothing is due.
-- @reads
-- @param limit integer
-- @returns owner_id uuid, id uuid, lag interval
SELECT
    owner_id,
    id,
    statement_timestamp() - next_step_at AS lag
FROM due_imports(%(limit)s::integer)
