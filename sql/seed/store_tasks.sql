-- Adds or changes tasks, each in the state that is given and at its time in the past, in the order
-- of ordinal (from 1). No task is named twice; a parent is a root, and comes before its subtasks.
-- No row: the owner is gone, or the ledger's version is not after_version.
-- @writes
-- @param owner_id uuid
-- @param after_version bigint
-- @param tasks json
-- @returns version bigint
WITH ledger AS (
    SELECT owner_id, version
    FROM ledgers
    WHERE owner_id = %(owner_id)s AND version = %(after_version)s
    FOR UPDATE
),

stored AS (
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description, description_folded, list_id, parent_id,
        root_id, is_parent, position, priority, label_ids, due, start, time_zone, due_at,
        due_begins_at, start_at, computed_zone, completed_at, created_at, updated_at, deleted_at,
        version, last_action, request_id
    )
    SELECT
        ledger.owner_id, given.id, given.title, given.title_folded, given.description,
        given.description_folded, given.list_id, given.parent_id, given.parent_id,
        given.is_parent, first_position(ledger.version + given.ordinal), given.priority,
        given.label_ids, given.due, given.start, given.time_zone, given.due_at, given.due_begins_at, given.start_at,
        given.computed_zone, given.completed_at, given.created_at, given.updated_at,
        given.deleted_at, ledger.version + given.ordinal, given.action, 'seed'
    FROM ledger
    CROSS JOIN
        json_to_recordset(%(tasks)s::json) AS given (
            ordinal integer, id uuid, title text, title_folded text, description text,
            description_folded text, list_id uuid, parent_id uuid, is_parent boolean,
            priority smallint, label_ids uuid[], due text, start text, time_zone text, due_at timestamptz,
            due_begins_at timestamptz, start_at timestamptz, computed_zone text,
            completed_at timestamptz, created_at timestamptz, updated_at timestamptz,
            deleted_at timestamptz, action text
        )
    ORDER BY given.ordinal
    ON CONFLICT (owner_id, id) DO UPDATE
        SET
            completed_at = excluded.completed_at,
            updated_at = excluded.updated_at,
            deleted_at = excluded.deleted_at,
            version = excluded.version,
            last_action = excluded.last_action,
            request_id = excluded.request_id
    RETURNING version
)

SELECT max(version) AS version
FROM stored
HAVING count(*) > 0
