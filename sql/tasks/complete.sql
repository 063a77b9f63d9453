-- Completes or reopens a task; toggles it where is_completed is null.
-- No row: no such task. Not is_expected: its version is not in if_versions, nothing was changed.
-- @writes
-- @param owner_id uuid
-- @param if_versions bigint[]
-- @param id uuid
-- @param is_completed boolean
-- @param request_id text
-- @param session_id uuid
-- @returns id uuid, is_expected boolean, version bigint, document json
WITH ledger AS (
    SELECT
        owner_id,
        version + 1 AS version,
        greatest(clock_timestamp(), changed_at + interval '1 microsecond') AS at,
        hash
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
),

found AS (
    SELECT
        tasks.id,
        tasks.is_completed,
        tasks.version,
        tasks.document,
        %(if_versions)s::bigint[] IS NULL OR tasks.version = ANY(%(if_versions)s) AS is_expected
    FROM ledger
    INNER JOIN tasks ON ledger.owner_id = tasks.owner_id
    WHERE tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s AND tasks.deleted_at IS NULL
    FOR UPDATE OF tasks
),

task AS (
    UPDATE tasks
    SET
        completed_at = CASE WHEN NOT tasks.is_completed THEN ledger.at END,
        updated_at = ledger.at,
        version = ledger.version,
        last_action = CASE WHEN tasks.is_completed THEN 'reopen' ELSE 'complete' END
    FROM ledger, found
    WHERE
        tasks.owner_id = ledger.owner_id
        AND tasks.owner_id = %(owner_id)s
        AND tasks.id = %(id)s
        AND found.is_expected
        AND found.is_completed IS DISTINCT FROM %(is_completed)s::boolean
    RETURNING
        tasks.owner_id,
        tasks.id,
        tasks.version,
        tasks.updated_at,
        tasks.last_action,
        tasks.document
),

entry AS (
    INSERT INTO ledger_entries (
        owner_id, version, task_id, action, at, request_id, session_id, task, hash
    )
    SELECT
        task.owner_id,
        task.version,
        task.id,
        task.last_action,
        task.updated_at,
        %(request_id)s,
        %(session_id)s,
        task.document,
        ledger_hash(
            ledger.hash,
            task.version,
            task.id,
            task.last_action,
            task.updated_at,
            %(request_id)s,
            %(session_id)s,
            task.document
        )
    FROM task
    INNER JOIN ledger ON task.owner_id = ledger.owner_id
    RETURNING owner_id, version, at, hash
),

head AS (
    UPDATE ledgers
    SET version = entry.version, changed_at = entry.at, hash = entry.hash
    FROM entry
    WHERE ledgers.owner_id = entry.owner_id AND ledgers.owner_id = %(owner_id)s
)

SELECT
    found.id,
    found.is_expected,
    coalesce(task.version, found.version) AS version,
    coalesce(task.document, found.document) AS document
FROM found
LEFT JOIN task ON found.id = task.id
