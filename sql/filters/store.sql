-- Gives a filter its next state; the caller has locked the ledger, and read the filter since.
-- No row: no such filter.
-- @writes
-- @param owner_id uuid
-- @param title text
-- @param query text
-- @param sort text
-- @param position text
-- @param is_deleted boolean
-- @param action text
-- @param request_id text
-- @param session_id uuid
-- @param id uuid
-- @returns id uuid, version bigint, document json null
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
)

UPDATE filters
SET
    title = %(title)s,
    query = %(query)s,
    sort = %(sort)s,
    position = %(position)s,
    deleted_at = CASE WHEN %(is_deleted)s::boolean THEN ledger.at END,
    updated_at = ledger.at,
    version = ledger.version,
    last_action = %(action)s,
    request_id = %(request_id)s,
    session_id = %(session_id)s
FROM ledger
WHERE filters.owner_id = %(owner_id)s AND filters.id = %(id)s
RETURNING
    filters.id, filters.version,
    CASE WHEN filters.deleted_at IS NULL THEN filters.document END AS document
