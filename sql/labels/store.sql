-- Gives a label its next state; the caller has locked the ledger, and read the label since.
-- No row: no such label.
-- @writes
-- @param owner_id uuid
-- @param name text
-- @param name_key bytea
-- @param color text
-- @param position text
-- @param removed_from bigint
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

UPDATE labels
SET
    name = %(name)s,
    name_key = %(name_key)s,
    color = %(color)s,
    position = %(position)s,
    removed_from = %(removed_from)s,
    deleted_at = CASE WHEN %(is_deleted)s::boolean THEN ledger.at END,
    updated_at = ledger.at,
    version = ledger.version,
    last_action = %(action)s,
    request_id = %(request_id)s,
    session_id = %(session_id)s
FROM ledger
WHERE labels.owner_id = %(owner_id)s AND labels.id = %(id)s
RETURNING
    labels.id, labels.version,
    CASE WHEN labels.deleted_at IS NULL THEN labels.document END AS document
