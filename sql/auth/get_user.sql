-- Reads the owner's account.
-- No row: the account is gone.
-- @reads
-- @param owner_id uuid
-- @returns id uuid, email text, time_zone text, reminder_time text, created_at text
-- @returns updated_at text
SELECT
    id, email, time_zone, reminder_time,
    utc(created_at) AS created_at, utc(updated_at) AS updated_at
FROM users
WHERE id = %(owner_id)s
