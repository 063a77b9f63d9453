-- Adds labels, each at its time in the past, in the order of ordinal (from 1).
-- No row: the owner is gone, or the ledger's version is not after_version.
-- @writes
-- @param owner_id uuid
-- @param after_version bigint
-- @param labels json
-- @returns version bigint
WITH ledger AS (
    SELECT owner_id, version
    FROM ledgers
    WHERE owner_id = %(owner_id)s AND version = %(after_version)s
    FOR UPDATE
),

stored AS (
    INSERT INTO labels (
        owner_id, id, name, name_key, color, position, created_at, updated_at, version, last_action,
        request_id
    )
    SELECT
        ledger.owner_id, given.id, given.name, given.name_key::bytea, given.color,
        first_position(ledger.version + given.ordinal), given.created_at, given.created_at,
        ledger.version + given.ordinal, 'create', 'seed'
    FROM ledger
    CROSS JOIN
        json_to_recordset(%(labels)s::json) AS given (
            ordinal integer, id uuid, name text, name_key text, color text, created_at timestamptz
        )
    ORDER BY given.ordinal
    RETURNING version
)

SELECT max(version) AS version
FROM stored
HAVING count(*) > 0
