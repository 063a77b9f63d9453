-- Counts the owner's imports that have not ended.
-- @reads
-- @param owner_id uuid
-- @returns number bigint
SELECT count(*) AS number
FROM imports
WHERE owner_id = %(owner_id)s AND finished_at IS NULL
