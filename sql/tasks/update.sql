-- Changes a task's title, description and priority. A title, priority or folded description that is
-- null stays, and with the latter the description.
-- No row: nothing was changed. There is no such task, its version is not in if_versions, or nothing
-- would change; or its list is in the trash, or may be since the statement began (the ledger moved
-- before it was locked).
-- @writes
-- @param owner_id uuid
-- @param title text
-- @param title_folded text
-- @param description_folded text
-- @param description text
-- @param priority smallint
-- @param request_id text
-- @param session_id uuid
-- @param id uuid
-- @param if_versions bigint[]
-- @returns id uuid, version bigint, document json null
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
)

UPDATE tasks
SET
    title = coalesce(%(title)s, title),
    title_folded = coalesce(%(title_folded)s, title_folded),
    description_folded = coalesce(%(description_folded)s, description_folded),
    description = CASE WHEN %(description_folded)s::text IS NULL THEN description ELSE %(description)s END,
    priority = coalesce(%(priority)s, priority),
    updated_at = ledger.at,
    version = ledger.version,
    last_action = 'update',
    request_id = %(request_id)s,
    session_id = %(session_id)s
FROM ledger
WHERE
    tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s AND tasks.deleted_at IS NULL
    AND (%(if_versions)s::bigint[] IS NULL OR tasks.version = ANY(%(if_versions)s))
    AND (
        title <> %(title)s OR priority <> %(priority)s
        OR (%(description_folded)s::text IS NOT NULL AND description IS DISTINCT FROM %(description)s)
    )
    AND (tasks.list_id IS NULL OR ledger.version = (
        SELECT ledgers.version + 1
        FROM ledgers CROSS JOIN lists
        WHERE
            ledgers.owner_id = %(owner_id)s AND lists.owner_id = %(owner_id)s
            AND lists.id = tasks.list_id AND lists.deleted_at IS NULL
    ))
RETURNING tasks.id, tasks.version, tasks.document
