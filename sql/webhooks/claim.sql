-- Takes a webhook for the lease, in which no other worker delivers to it. Should this worker end
-- meanwhile, another one goes on where it was.
-- No row: another worker has it, or nothing is due.
-- @writes
-- @param owner_id uuid
-- @param id uuid
-- @param lease interval
-- @returns leased_until timestamptz
WITH due AS (
    SELECT webhooks.id
    FROM webhooks
    WHERE
        webhooks.owner_id = %(owner_id)s
        AND webhooks.id = %(id)s
        AND webhooks.next_attempt_at <= statement_timestamp()
        AND webhooks.disabled_at IS NULL
    FOR UPDATE SKIP LOCKED
)

UPDATE webhooks
SET next_attempt_at = statement_timestamp() + %(lease)s::interval
FROM due
WHERE webhooks.owner_id = %(owner_id)s AND webhooks.id = due.id
RETURNING webhooks.next_attempt_at AS leased_until
