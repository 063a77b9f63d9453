-- Changes the fields of a task that fields names; takes no version where nothing would change.
-- No row: no such task. Not is_expected: its version is not in if_versions, nothing was changed.
-- @writes
-- @param owner_id uuid
-- @param if_versions bigint[]
-- @param fields text[]
-- @param title text
-- @param description text
-- @param is_completed boolean
-- @param id uuid
-- @param title_folded text
-- @param description_folded text
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
        ('title' = ANY(%(fields)s::text[]) AND title <> %(title)s)
        OR (
            'description' = ANY(%(fields)s::text[]) AND description IS DISTINCT FROM %(description)s
        )
        OR ('is_completed' = ANY(%(fields)s::text[]) AND is_completed <> %(is_completed)s::boolean)
            AS is_different
    FROM tasks
    WHERE
        owner_id = %(owner_id)s
        AND id = %(id)s
        AND deleted_at IS NULL
        AND EXISTS (SELECT FROM ledger)
    FOR UPDATE
),

changed AS (
    UPDATE tasks
    SET
        title = CASE WHEN 'title' = ANY(%(fields)s::text[]) THEN %(title)s ELSE title END,
        title_folded = CASE
            WHEN 'title' = ANY(%(fields)s::text[]) THEN %(title_folded)s ELSE title_folded
        END,
        description = CASE
            WHEN 'description' = ANY(%(fields)s::text[]) THEN %(description)s ELSE description
        END,
        description_folded = CASE
            WHEN 'description' = ANY(%(fields)s::text[]) THEN %(description_folded)s
            ELSE description_folded
        END,
        completed_at = CASE
            WHEN 'is_completed' <> ALL(%(fields)s::text[]) THEN completed_at
            WHEN %(is_completed)s::boolean THEN coalesce(completed_at, ledger.at)
        END,
        updated_at = ledger.at,
        version = ledger.version,
        last_action = 'update',
        request_id = %(request_id)s,
        session_id = %(session_id)s
    FROM ledger, found
    WHERE
        tasks.owner_id = %(owner_id)s
        AND tasks.id = %(id)s
        AND found.is_expected
        AND found.is_different
    RETURNING tasks.version, tasks.document
)

SELECT
    found.is_expected,
    found.id,
    coalesce(changed.version, found.version) AS version,
    coalesce(changed.document, found.document) AS document
FROM found
LEFT JOIN changed ON TRUE
