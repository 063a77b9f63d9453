-- Adds a list, behind the others of its owner.
-- No row: the owner is gone, or the ledger's version is not in if_versions.
-- @writes
-- @param owner_id uuid
-- @param if_versions bigint[]
-- @param title text
-- @param title_folded text
-- @param description text
-- @param color text
-- @param request_id text
-- @param session_id uuid
-- @returns id uuid, version bigint, document json null
WITH ledger AS (
    SELECT owner_id, version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE
        owner_id = %(owner_id)s
        AND (%(if_versions)s::bigint[] IS NULL OR version = ANY(%(if_versions)s))
    FOR UPDATE
)

INSERT INTO lists (
    owner_id, id, title, title_folded, description, color, position, created_at, updated_at,
    version, last_action, request_id, session_id
)
SELECT
    owner_id, uuidv7_at(at), %(title)s, %(title_folded)s, %(description)s, %(color)s,
    first_position(version), at, at, version, 'create', %(request_id)s, %(session_id)s
FROM ledger
RETURNING id, version, document
