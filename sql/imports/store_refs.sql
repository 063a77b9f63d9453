-- Notes which items things of a source have become. The arrays have an element for each.
-- @writes
-- @param owner_id uuid
-- @param source text
-- @param key bytea[]
-- @param kind text[]
-- @param item_id uuid[]
INSERT INTO import_refs (owner_id, source, key, kind, item_id)
SELECT %(owner_id)s, %(source)s, each.key, each.kind, each.item_id
FROM
    unnest(
        %(key)s::bytea[], %(kind)s::text[], %(item_id)s::uuid[]
    ) AS each (key, kind, item_id)
ON CONFLICT (owner_id, source, key) DO UPDATE
    SET kind = excluded.kind, item_id = excluded.item_id
