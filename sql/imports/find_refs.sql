-- Finds the items that things of a source have become, unless these are gone for good.
-- No row: none has been imported.
-- @reads
-- @param owner_id uuid
-- @param source text
-- @param keys bytea[]
-- @returns key bytea, item_id uuid, is_deleted boolean
SELECT
    import_refs.key, import_refs.item_id, items.deleted_at IS NOT NULL AS is_deleted
FROM import_refs
INNER JOIN items
    ON
        import_refs.owner_id = items.owner_id
        AND import_refs.kind = items.kind
        AND import_refs.item_id = items.id
WHERE
    import_refs.owner_id = %(owner_id)s
    AND items.owner_id = %(owner_id)s
    AND import_refs.source = %(source)s
    AND import_refs.key = ANY(%(keys)s::bytea[])
