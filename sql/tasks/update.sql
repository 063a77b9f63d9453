-- Changes a task's title, description and priority; takes no version where nothing would change.
-- A title, priority or folded description that is null stays, and with the latter the description.
-- No row: no such task. Not is_expected: its version is not in if_versions, nothing was changed. No
-- version: nothing was changed, as its list is in the trash, or may be since the statement began
-- (the ledger moved before it was locked).
-- @writes
-- @param owner_id uuid
-- @param if_versions bigint[]
-- @param id uuid
-- @param title text
-- @param title_folded text
-- @param description_folded text
-- @param description text
-- @param priority smallint
-- @param request_id text
-- @param session_id uuid
-- @returns is_expected boolean, id uuid null, version bigint null, document json null
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
),

found AS (
    SELECT
        id, version, document,
        %(if_versions)s::bigint[] IS NULL OR version = ANY(%(if_versions)s) AS is_expected,
        list_id IS NULL OR (SELECT ledger.version FROM ledger) = (
            SELECT ledgers.version + 1
            FROM ledgers CROSS JOIN lists
            WHERE
                ledgers.owner_id = %(owner_id)s AND lists.owner_id = %(owner_id)s
                AND lists.id = tasks.list_id AND lists.deleted_at IS NULL
        ) AS is_current
    FROM tasks
    WHERE
        owner_id = %(owner_id)s AND id = %(id)s AND deleted_at IS NULL
        AND EXISTS (SELECT FROM ledger)
    FOR UPDATE
),

changed AS (
    UPDATE tasks
    SET
        title = coalesce(%(title)s, title),
        title_folded = coalesce(%(title_folded)s, title_folded),
        description_folded = coalesce(%(description_folded)s, description_folded),
        description = CASE
            WHEN %(description_folded)s::text IS NULL THEN description ELSE %(description)s
        END,
        priority = coalesce(%(priority)s, priority),
        updated_at = ledger.at, version = ledger.version, last_action = 'update',
        request_id = %(request_id)s, session_id = %(session_id)s
    FROM ledger, found
    WHERE
        tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s
        AND found.is_expected AND found.is_current
        AND (
            title <> %(title)s OR priority <> %(priority)s
            OR (%(description_folded)s::text IS NOT NULL AND description IS DISTINCT FROM %(description)s)
        )
    RETURNING tasks.version, tasks.document
)

SELECT
    found.is_expected, found.id,
    CASE WHEN found.is_current THEN coalesce(changed.version, found.version) END AS version,
    coalesce(changed.document, found.document) AS document
FROM found
LEFT JOIN changed ON TRUE
