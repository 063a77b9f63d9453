-- Changes those of the owner's time zone and reminder time that are not null. It locks the ledger, so
-- that each change of a task knows the zone before it or after it.
-- No row: the account is gone.
-- @writes
-- @param owner_id uuid
-- @param time_zone text
-- @param reminder_time text
-- @returns id uuid, email text, time_zone text, reminder_time text, created_at text
-- @returns updated_at text
WITH ledger AS (
    SELECT owner_id
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
)

UPDATE users
SET
    time_zone = coalesce(%(time_zone)s, users.time_zone),
    reminder_time = coalesce(%(reminder_time)s, users.reminder_time),
    updated_at = now()
FROM ledger
WHERE users.id = %(owner_id)s AND users.id = ledger.owner_id
RETURNING
    users.id, users.email, users.time_zone, users.reminder_time,
    utc(users.created_at) AS created_at, utc(users.updated_at) AS updated_at
