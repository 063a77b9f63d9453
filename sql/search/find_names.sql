-- Reads what the owner's labels and lists outside the trash are called.
-- No row: there are none.
-- @reads
-- @param owner_id uuid
-- @returns kind text, id uuid, name text
SELECT 'label' AS kind, id, name
FROM labels
WHERE owner_id = %(owner_id)s AND deleted_at IS NULL
UNION ALL
SELECT 'list' AS kind, id, title AS name
FROM lists
WHERE owner_id = %(owner_id)s AND deleted_at IS NULL
