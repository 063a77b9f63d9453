-- Takes a label from a task; the caller has locked the ledger.
-- No row: no such task.
-- @writes
-- @param owner_id uuid
-- @param label_id uuid
-- @param request_id text
-- @param session_id uuid
-- @param id uuid
-- @returns id uuid, version bigint, document json null
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
)

UPDATE tasks
SET
    label_ids = array_remove(label_ids, %(label_id)s),
    updated_at = ledger.at,
    version = ledger.version,
    last_action = 'update',
    request_id = %(request_id)s,
    session_id = %(session_id)s
FROM ledger
WHERE tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s
RETURNING tasks.id, tasks.version, tasks.document
