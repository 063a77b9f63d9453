-- Inserts a task with the next version of the owner's ledger.
-- No row: the owner is gone, or the ledger's version is not in if_versions.
-- @writes
-- @param owner_id uuid
-- @param if_versions bigint[]
-- @param title text
-- @param description text
-- @param title_folded text
-- @param description_folded text
-- @param request_id text
-- @param session_id uuid
-- @returns id uuid, version bigint, document json
WITH ledger AS (
    SELECT
        owner_id,
        version + 1 AS version,
        greatest(clock_timestamp(), changed_at + interval '1 microsecond') AS at,
        hash
    FROM ledgers
    WHERE
        owner_id = %(owner_id)s
        AND (%(if_versions)s::bigint[] IS NULL OR version = ANY(%(if_versions)s))
    FOR UPDATE
),

task AS (
    INSERT INTO tasks (
        owner_id,
        id,
        title,
        description,
        title_folded,
        description_folded,
        created_at,
        updated_at,
        version,
        last_action
    )
    SELECT
        ledger.owner_id,
        uuidv7_at(ledger.at),
        %(title)s,
        %(description)s,
        %(title_folded)s,
        %(description_folded)s,
        ledger.at,
        ledger.at,
        ledger.version,
        'create'
    FROM ledger
    RETURNING owner_id, id, version, updated_at, last_action, document
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

SELECT id, version, document FROM task
