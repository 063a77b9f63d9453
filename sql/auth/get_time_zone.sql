-- Reads the zone of the owner's local days.
-- No row: the account is gone.
-- @reads
-- @param owner_id uuid
-- @returns time_zone text
SELECT time_zone
FROM users
WHERE id = %(owner_id)s
