-- Carries operations out, each as a change of its own in the order of ordinal; no two may name the
-- same task. Needs the lock of tasks/lock_ledger, without which it might act on an older state.
-- A row per operation. Its problem: missing (no such task) or stale (another version than
-- if_version), and the transaction must be rolled back.
WITH ledger AS (
    SELECT
        owner_id,
        version,
        greatest(clock_timestamp(), changed_at + interval '1 microsecond') AS at,
        hash
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
),

operation AS (
    SELECT
        given.ordinal,
        given.op,
        given.id,
        given.fields,
        given.title,
        given.title_folded,
        given.description,
        given.description_folded,
        given.is_completed,
        tasks.version,
        tasks.document,
        CASE
            WHEN given.op = 'create' THEN NULL
            WHEN tasks.id IS NULL THEN 'missing'
            WHEN (given.op = 'restore') <> (tasks.deleted_at IS NOT NULL) THEN 'missing'
            WHEN given.if_version <> tasks.version THEN 'stale'
        END AS problem,
        given.op IN ('create', 'delete', 'restore')
        OR (given.op = 'complete' AND tasks.is_completed IS DISTINCT FROM given.is_completed)
        OR (
            given.op = 'update'
            AND (
                ('title' = ANY(given.fields) AND tasks.title <> given.title)
                OR (
                    'description' = ANY(given.fields)
                    AND tasks.description IS DISTINCT FROM given.description
                )
                OR (
                    'is_completed' = ANY(given.fields)
                    AND tasks.is_completed <> given.is_completed
                )
            )
        ) AS is_change
    FROM
        json_to_recordset(%(operations)s::json) AS given (
            ordinal integer,
            op text,
            id uuid,
            if_version bigint,
            fields text[],
            title text,
            title_folded text,
            description text,
            description_folded text,
            is_completed boolean
        )
    LEFT JOIN tasks ON given.id = tasks.id AND tasks.owner_id = %(owner_id)s
),

change AS (
    SELECT
        operation.ordinal,
        operation.op,
        operation.id,
        operation.fields,
        operation.title,
        operation.title_folded,
        operation.description,
        operation.description_folded,
        operation.is_completed,
        ledger.version + row_number() OVER (ORDER BY operation.ordinal) AS version,
        ledger.at
        + (row_number() OVER (ORDER BY operation.ordinal) - 1) * interval '1 microsecond' AS at
    FROM operation
    CROSS JOIN ledger
    WHERE operation.problem IS NULL AND operation.is_change
),

created AS (
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
        %(owner_id)s,
        uuidv7_at(change.at),
        change.title,
        change.description,
        change.title_folded,
        change.description_folded,
        change.at,
        change.at,
        change.version,
        'create'
    FROM change
    WHERE change.op = 'create'
    RETURNING owner_id, id, version, updated_at, last_action, document
),

changed AS (
    UPDATE tasks
    SET
        title = CASE WHEN 'title' = ANY(change.fields) THEN change.title ELSE tasks.title END,
        title_folded = CASE
            WHEN 'title' = ANY(change.fields) THEN change.title_folded ELSE tasks.title_folded
        END,
        description = CASE
            WHEN 'description' = ANY(change.fields) THEN change.description ELSE tasks.description
        END,
        description_folded = CASE
            WHEN 'description' = ANY(change.fields) THEN change.description_folded
            ELSE tasks.description_folded
        END,
        completed_at = CASE
            WHEN change.op = 'complete' AND tasks.is_completed THEN NULL
            WHEN change.op = 'complete' THEN change.at
            WHEN coalesce('is_completed' <> ALL(change.fields), TRUE) THEN tasks.completed_at
            WHEN change.is_completed THEN coalesce(tasks.completed_at, change.at)
        END,
        deleted_at = CASE WHEN change.op = 'delete' THEN change.at END,
        updated_at = change.at,
        version = change.version,
        last_action = CASE
            WHEN change.op = 'complete' AND tasks.is_completed THEN 'reopen' ELSE change.op
        END
    FROM change
    WHERE tasks.owner_id = %(owner_id)s AND tasks.id = change.id AND change.op <> 'create'
    RETURNING
        tasks.owner_id,
        tasks.id,
        tasks.version,
        tasks.updated_at,
        tasks.last_action,
        CASE WHEN tasks.deleted_at IS NULL THEN tasks.document END AS document
),

task AS (
    SELECT owner_id, id, version, updated_at, last_action, document FROM created
    UNION ALL
    SELECT owner_id, id, version, updated_at, last_action, document FROM changed
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
        ledger_chain(
            ledger.hash,
            task.version,
            task.id,
            task.last_action,
            task.updated_at,
            %(request_id)s,
            %(session_id)s,
            task.document
        ) OVER (ORDER BY task.version)
    FROM task
    INNER JOIN ledger ON task.owner_id = ledger.owner_id
    RETURNING owner_id, version, at, hash
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
),

head AS (
    UPDATE ledgers
    SET version = newest.version, changed_at = newest.at, hash = newest.hash
    FROM newest
    WHERE ledgers.owner_id = newest.owner_id AND ledgers.owner_id = %(owner_id)s
)

SELECT
    operation.ordinal,
    operation.op,
    operation.problem,
    coalesce(task.id, operation.id) AS id,
    coalesce(task.version, operation.version) AS version,
    coalesce(task.document, operation.document) AS document
FROM operation
LEFT JOIN change ON operation.ordinal = change.ordinal
LEFT JOIN task ON change.version = task.version
ORDER BY operation.ordinal
