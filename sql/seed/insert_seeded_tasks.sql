-- Inserts the copied changes into the owner's ledger, and the resulting tasks.
-- No row: the owner is gone, or the ledger's version is not after_version.
-- @writes
-- @param owner_id uuid
-- @param after_version bigint
-- @returns version bigint
WITH newest AS (
    SELECT
        version,
        at,
        hash
    FROM seeded
    ORDER BY version DESC
    LIMIT 1
),

ledger AS (
    UPDATE ledgers
    SET version = newest.version, changed_at = newest.at, hash = newest.hash
    FROM newest
    WHERE ledgers.owner_id = %(owner_id)s AND ledgers.version = %(after_version)s
    RETURNING ledgers.owner_id, ledgers.version
),

entry AS (
    INSERT INTO ledger_entries (
        owner_id, version, task_id, action, at, request_id, task, hash
    )
    SELECT
        ledger.owner_id,
        seeded.version,
        seeded.task_id,
        seeded.action,
        seeded.at,
        'seed',
        seeded.task::json,
        seeded.hash
    FROM ledger
    CROSS JOIN seeded
),

task AS (
    INSERT INTO tasks (
        owner_id,
        id,
        title,
        title_folded,
        description,
        description_folded,
        completed_at,
        created_at,
        updated_at,
        deleted_at,
        version,
        last_action
    )
    SELECT
        ledger.owner_id,
        seeded.task_id,
        seeded.title,
        seeded.title_folded,
        seeded.description,
        seeded.description_folded,
        seeded.completed_at,
        seeded.created_at,
        seeded.at,
        CASE WHEN seeded.action = 'delete' THEN seeded.at END,
        seeded.version,
        seeded.action
    FROM ledger
    CROSS JOIN seeded
    WHERE seeded.title IS NOT NULL
)

SELECT version FROM ledger
