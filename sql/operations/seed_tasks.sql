-- Adds tasks with a past to the owner's ledger: `tasks`, and in the order of time their `events`.
-- No row: the owner is gone.
WITH ledger AS (
    SELECT
        owner_id,
        version,
        hash
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
),

made AS MATERIALIZED (
    SELECT
        task.number,
        task.title,
        task.title_folded,
        task.description,
        task.description_folded,
        task.created_at,
        uuidv7_at(task.created_at) AS id
    FROM json_to_recordset(%(tasks)s::json) AS task (
        number integer,
        title text,
        title_folded text,
        description text,
        description_folded text,
        created_at timestamptz
    )
),

event AS MATERIALIZED (
    SELECT
        made.id AS task_id,
        ledger.owner_id,
        ledger.hash AS beginning,
        ledger.version + told.number AS version,
        told.action,
        told.at,
        told.completed_at,
        told.is_last,
        CASE
            WHEN told.action <> 'delete'
                THEN task_document(
                    made.id,
                    ledger.owner_id,
                    made.title,
                    made.description,
                    told.completed_at,
                    made.created_at,
                    told.at,
                    ledger.version + told.number
                )
        END AS document
    FROM
        json_to_recordset(%(events)s::json)
            AS told (
                number integer,
                task integer,
                action text,
                at timestamptz,
                completed_at timestamptz,
                is_last boolean
            )
    INNER JOIN made ON told.task = made.number
    CROSS JOIN ledger
),

entry AS (
    INSERT INTO ledger_entries (
        owner_id, version, task_id, action, at, request_id, task, hash
    )
    SELECT
        event.owner_id,
        event.version,
        event.task_id,
        event.action,
        event.at,
        'seed',
        event.document,
        ledger_chain(
            event.beginning,
            event.version,
            event.task_id,
            event.action,
            event.at,
            'seed',
            NULL,
            event.document
        ) OVER (
            ORDER BY event.version
        )
    FROM event
    RETURNING owner_id, version, at, hash
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
        event.owner_id,
        made.id,
        made.title,
        made.title_folded,
        made.description,
        made.description_folded,
        event.completed_at,
        made.created_at,
        event.at,
        CASE WHEN event.action = 'delete' THEN event.at END,
        event.version,
        event.action
    FROM event
    INNER JOIN made ON event.task_id = made.id
    WHERE event.is_last
),

newest AS (
    SELECT
        owner_id,
        version,
        at,
        hash
    FROM entry
    ORDER BY version DESC
    LIMIT 1
)

UPDATE ledgers
SET version = newest.version, changed_at = newest.at, hash = newest.hash
FROM newest
WHERE ledgers.owner_id = newest.owner_id AND ledgers.owner_id = %(owner_id)s
RETURNING ledgers.version
