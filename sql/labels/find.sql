-- Reads a label with all that a change of it needs, also in the trash.
-- No row: no such label.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, name text, name_key bytea, color text null, position text
-- @returns removed_from bigint null, is_deleted boolean, version bigint, document json
SELECT
    id, name, name_key, color, position, removed_from, deleted_at IS NOT NULL AS is_deleted,
    version, document
FROM labels
WHERE owner_id = %(owner_id)s AND id = %(id)s
