-- Reads which tasks a feed has, and as which component.
-- No row: the feed has been ended, or the account is disabled.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns list_id uuid null, component text
SELECT feeds.list_id, feeds.component
FROM feeds
INNER JOIN users ON feeds.owner_id = users.id
WHERE
    feeds.owner_id = %(owner_id)s
    AND feeds.id = %(id)s
    AND users.id = %(owner_id)s
    AND users.disabled_at IS NULL
