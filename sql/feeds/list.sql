-- Lists the owner's feeds, the oldest first.
-- No row: the owner has none.
-- @reads
-- @param owner_id uuid
-- @returns id uuid, list_id uuid null, component text, created_at text
SELECT id, list_id, component, utc(created_at) AS created_at
FROM feeds
WHERE owner_id = %(owner_id)s
ORDER BY created_at ASC, id ASC
