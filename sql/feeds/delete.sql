-- Ends a feed.
-- @writes
-- @param owner_id uuid
-- @param id uuid
DELETE FROM feeds
WHERE owner_id = %(owner_id)s AND id = %(id)s
