-- Executes operations, each as a change of its own in the order of ordinal; no two may name the
-- same task. Requires the lock of ledger/lock_ledger, to see the newest state.
-- One row per operation. If one has a problem, missing (no such task) or stale (its version is not
-- if_version), the transaction must be rolled back. Without a problem, id, version and document are
-- not null.
-- @writes
-- @param owner_id uuid
-- @param operations json
-- @param request_id text
-- @param session_id uuid
-- @returns ordinal integer, op text, problem text null, id uuid null, version bigint null
-- @returns document json null
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
        given.title AS new_title,
        given.title_folded AS new_title_folded,
        given.description AS new_description,
        given.description_folded AS new_description_folded,
        given.is_completed AS new_is_completed,
        found.title,
        found.title_folded,
        found.description,
        found.description_folded,
        found.is_completed,
        found.completed_at,
        found.created_at,
        found.version,
        found.document,
        CASE
            WHEN given.op = 'create' THEN NULL
            WHEN found.version IS NULL THEN 'missing'
            WHEN (given.op = 'restore') <> found.is_deleted THEN 'missing'
            WHEN given.if_version <> found.version THEN 'stale'
        END AS problem,
        given.op IN ('create', 'delete', 'restore')
        OR (given.op = 'complete' AND found.is_completed IS DISTINCT FROM given.is_completed)
        OR (
            given.op = 'update'
            AND (
                ('title' = ANY(given.fields) AND found.title <> given.title)
                OR (
                    'description' = ANY(given.fields)
                    AND found.description IS DISTINCT FROM given.description
                )
                OR (
                    'is_completed' = ANY(given.fields)
                    AND found.is_completed <> given.is_completed
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
    LEFT JOIN LATERAL (
        SELECT
            tasks.id,
            tasks.title,
            tasks.title_folded,
            tasks.description,
            tasks.description_folded,
            tasks.is_completed,
            tasks.completed_at,
            tasks.created_at,
            tasks.version,
            tasks.document,
            tasks.deleted_at IS NOT NULL AS is_deleted
        FROM tasks
        WHERE tasks.owner_id = %(owner_id)s AND tasks.id = given.id
        ORDER BY tasks.id
        LIMIT 1
    ) AS found ON given.id = found.id
),

change AS (
    SELECT
        operation.ordinal,
        operation.op,
        operation.id,
        operation.fields,
        operation.new_title,
        operation.new_title_folded,
        operation.new_description,
        operation.new_description_folded,
        operation.new_is_completed,
        operation.title,
        operation.title_folded,
        operation.description,
        operation.description_folded,
        operation.is_completed,
        operation.completed_at,
        operation.created_at,
        ledger.version + row_number() OVER (ORDER BY operation.ordinal) AS version,
        ledger.at
        + (row_number() OVER (ORDER BY operation.ordinal) - 1) * interval '1 microsecond' AS at
    FROM operation
    CROSS JOIN ledger
    WHERE operation.problem IS NULL AND operation.is_change
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
        %(owner_id)s,
        coalesce(change.id, uuidv7_at(change.at)),
        CASE WHEN 'title' = ANY(change.fields) THEN change.new_title ELSE change.title END,
        CASE
            WHEN 'title' = ANY(change.fields) THEN change.new_title_folded
            ELSE change.title_folded
        END,
        CASE
            WHEN 'description' = ANY(change.fields) THEN change.new_description
            ELSE change.description
        END,
        CASE
            WHEN 'description' = ANY(change.fields) THEN change.new_description_folded
            ELSE change.description_folded
        END,
        CASE
            WHEN change.op = 'complete' AND change.is_completed THEN NULL
            WHEN change.op = 'complete' THEN change.at
            WHEN 'is_completed' = ANY(change.fields) AND change.new_is_completed
                THEN coalesce(change.completed_at, change.at)
            WHEN 'is_completed' = ANY(change.fields) THEN NULL
            ELSE change.completed_at
        END,
        coalesce(change.created_at, change.at),
        change.at,
        CASE WHEN change.op = 'delete' THEN change.at END,
        change.version,
        CASE
            WHEN change.op = 'complete' AND change.is_completed THEN 'reopen' ELSE change.op
        END
    FROM change
    ON CONFLICT (owner_id, id) DO UPDATE
        SET
            title = excluded.title,
            title_folded = excluded.title_folded,
            description = excluded.description,
            description_folded = excluded.description_folded,
            completed_at = excluded.completed_at,
            updated_at = excluded.updated_at,
            deleted_at = excluded.deleted_at,
            version = excluded.version,
            last_action = excluded.last_action
    RETURNING
        owner_id,
        id,
        version,
        updated_at,
        last_action,
        CASE WHEN deleted_at IS NULL THEN document END AS document
),

entry AS (
    INSERT INTO ledger_entries (
        owner_id, version, task_id, action, at, request_id, session_id, task, hash
    )
    SELECT
        ledger.owner_id,
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
    CROSS JOIN ledger
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
