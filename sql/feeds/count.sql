-- Counts the owner's feeds.
-- @reads
-- @param owner_id uuid
-- @returns number bigint
SELECT count(*) AS number
FROM feeds
WHERE owner_id = %(owner_id)s
