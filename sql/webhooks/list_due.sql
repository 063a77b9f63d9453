-- Lists up to limit webhooks of all owners that have something to be told, those that fail last, else
-- those that have waited longest first.
-- No row: nothing is due.
-- @reads
-- @param limit integer
-- @returns owner_id uuid, id uuid, is_failing boolean, lag interval
SELECT
    owner_id,
    id,
    is_failing,
    greatest(statement_timestamp() - due_at, interval '0') AS lag
FROM due_webhooks(%(limit)s::integer)
