-- Gives a list its next state; the caller has locked the ledger, and read the list since.
-- No row: no such list.
-- @writes
-- @param owner_id uuid
-- @param title text
-- @param title_folded text
-- @param description text
-- @param color text
-- @param position text
-- @param is_archived boolean
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

UPDATE lists
SET
    title = %(title)s,
    title_folded = %(title_folded)s,
    description = %(description)s,
    color = %(color)s,
    position = %(position)s,
    archived_at = CASE WHEN %(is_archived)s::boolean THEN coalesce(archived_at, ledger.at) END,
    deleted_at = CASE WHEN %(is_deleted)s::boolean THEN ledger.at END,
    updated_at = ledger.at,
    version = ledger.version,
    last_action = %(action)s,
    request_id = %(request_id)s,
    session_id = %(session_id)s
FROM ledger
WHERE lists.owner_id = %(owner_id)s AND lists.id = %(id)s
RETURNING
    lists.id, lists.version,
    CASE WHEN lists.deleted_at IS NULL THEN lists.document END AS document
