-- Reads a filter with all that a change of it needs, also in the trash.
-- No row: no such filter.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, title text, query text, sort text, position text, is_deleted boolean
-- @returns version bigint, document json
SELECT
    id, title, query, sort, position, deleted_at IS NOT NULL AS is_deleted, version, document
FROM filters
WHERE owner_id = %(owner_id)s AND id = %(id)s
