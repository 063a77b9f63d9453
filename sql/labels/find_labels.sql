-- Reads the labels outside the trash that have one of the ids, or a name with one of the keys.
-- No row: there are no such labels.
-- @reads
-- @param owner_id uuid
-- @param ids uuid[]
-- @param name_keys bytea[]
-- @returns id uuid, name_key bytea
SELECT id, name_key
FROM labels
WHERE
    owner_id = %(owner_id)s
    AND deleted_at IS NULL
    AND (id = ANY(%(ids)s::uuid[]) OR name_key = ANY(%(name_keys)s::bytea[]))
