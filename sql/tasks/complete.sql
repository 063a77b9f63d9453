-- Completes or reopens a task that has neither parent nor subtasks, and neither recurs nor reminds;
-- toggles it where is_completed is null.
-- No row: no such task. Not is_expected: its version is not in if_versions, nothing was changed. No
-- version: nothing was changed, as the task is another one, or once had relatives, or as its list is
-- in the trash, or may be since the statement began (the ledger moved before it was locked).
-- @writes
-- @param owner_id uuid
-- @param if_versions bigint[]
-- @param id uuid
-- @param request_id text
-- @param session_id uuid
-- @param is_completed boolean
-- @returns is_expected boolean, id uuid null, version bigint null, document json null
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
),

found AS (
    SELECT
        id, is_completed, version, document,
        %(if_versions)s::bigint[] IS NULL OR version = ANY(%(if_versions)s) AS is_expected,
        parent_id IS NULL
        AND NOT is_parent
        AND recurrence IS NULL
        AND reminders = '{}'
        AND (list_id IS NULL OR (SELECT ledger.version FROM ledger) = (
            SELECT ledgers.version + 1
            FROM ledgers CROSS JOIN lists
            WHERE
                ledgers.owner_id = %(owner_id)s AND lists.owner_id = %(owner_id)s
                AND lists.id = tasks.list_id AND lists.deleted_at IS NULL
        )) AS is_alone
    FROM tasks
    WHERE
        owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
        AND EXISTS (SELECT FROM ledger)
    FOR UPDATE
),

changed AS (
    UPDATE tasks
    SET
        completed_at = CASE WHEN NOT found.is_completed THEN ledger.at END,
        updated_at = ledger.at, version = ledger.version,
        last_action = CASE WHEN found.is_completed THEN 'reopen' ELSE 'complete' END,
        request_id = %(request_id)s, session_id = %(session_id)s
    FROM ledger, found
    WHERE
        tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s
        AND found.is_expected AND found.is_alone
        AND found.is_completed IS DISTINCT FROM %(is_completed)s::boolean
    RETURNING tasks.version, tasks.document
)

SELECT
    found.is_expected, found.id,
    CASE WHEN found.is_alone THEN coalesce(changed.version, found.version) END AS version,
    coalesce(changed.document, found.document) AS document
FROM found
LEFT JOIN changed ON TRUE
