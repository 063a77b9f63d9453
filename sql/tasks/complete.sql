-- Completes or reopens a task that has neither parent nor subtasks, and neither recurs nor reminds;
-- toggles it where is_completed is null.
-- No row: nothing was changed. There is no such task, its version is not in if_versions, it is
-- completed or open already, or it is another one; or its list is in the trash, or may be since the
-- statement began (the ledger moved before it was locked).
-- @writes
-- @param owner_id uuid
-- @param request_id text
-- @param session_id uuid
-- @param id uuid
-- @param if_versions bigint[]
-- @param is_completed boolean
-- @returns id uuid, version bigint, document json null
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
)

UPDATE tasks
SET
    completed_at = CASE WHEN NOT tasks.is_completed THEN ledger.at END,
    updated_at = ledger.at,
    version = ledger.version,
    last_action = CASE WHEN tasks.is_completed THEN 'reopen' ELSE 'complete' END,
    request_id = %(request_id)s,
    session_id = %(session_id)s
FROM ledger
WHERE
    tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s AND tasks.deleted_at IS NULL
    AND (%(if_versions)s::bigint[] IS NULL OR tasks.version = ANY(%(if_versions)s))
    AND tasks.is_completed IS DISTINCT FROM %(is_completed)s::boolean
    AND tasks.parent_id IS NULL AND NOT tasks.is_parent
    AND tasks.recurrence IS NULL AND tasks.reminders = '{}'
    AND (tasks.list_id IS NULL OR ledger.version = (
        SELECT ledgers.version + 1
        FROM ledgers CROSS JOIN lists
        WHERE
            ledgers.owner_id = %(owner_id)s AND lists.owner_id = %(owner_id)s
            AND lists.id = tasks.list_id AND lists.deleted_at IS NULL
    ))
RETURNING tasks.id, tasks.version, tasks.document
