-- Reads a list with all that a change of it needs, also in the trash.
-- No row: no such list.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, title text, title_folded text, description text null, color text null
-- @returns position text, is_archived boolean, is_deleted boolean, version bigint
-- @returns document json
SELECT
    id, title, title_folded, description, color, position, archived_at IS NOT NULL AS is_archived,
    deleted_at IS NOT NULL AS is_deleted, version, document
FROM lists
WHERE owner_id = %(owner_id)s AND id = %(id)s
