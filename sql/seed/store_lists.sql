-- Adds lists, each at its time in the past, in the order of ordinal (from 1).
-- No row: the owner is gone, or the ledger's version is not after_version.
-- @writes
-- @param owner_id uuid
-- @param after_version bigint
-- @param lists json
-- @returns version bigint
WITH ledger AS (
    SELECT owner_id, version
    FROM ledgers
    WHERE owner_id = %(owner_id)s AND version = %(after_version)s
    FOR UPDATE
),

stored AS (
    INSERT INTO lists (
        owner_id, id, title, title_folded, description, color, position, created_at, updated_at,
        version, last_action, request_id
    )
    SELECT
        ledger.owner_id, given.id, given.title, given.title_folded, given.description, given.color,
        first_position(ledger.version + given.ordinal), given.created_at, given.created_at,
        ledger.version + given.ordinal, 'create', 'seed'
    FROM ledger
    CROSS JOIN
        json_to_recordset(%(lists)s::json) AS given (
            ordinal integer, id uuid, title text, title_folded text, description text, color text,
            created_at timestamptz
        )
    ORDER BY given.ordinal
    RETURNING version
)

SELECT max(version) AS version
FROM stored
HAVING count(*) > 0
