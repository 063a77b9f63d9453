-- Reads the zone of the owner's local days, and the time from which reminders of all-day tasks count.
-- No row: the account is gone.
-- @reads
-- @param owner_id uuid
-- @returns time_zone text, reminder_time text
SELECT time_zone, reminder_time
FROM users
WHERE id = %(owner_id)s
