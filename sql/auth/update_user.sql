-- Changes those of the owner's settings that are not null. The caller has locked the ledger, so that
-- each change of a task knows the settings before it or after it.
-- No row: the account is gone.
-- @writes
-- @param time_zone text
-- @param reminder_time text
-- @param mail boolean
-- @param owner_id uuid
-- @returns id uuid, email text, email_verified_at text null, time_zone text, reminder_time text
-- @returns mail boolean, has_second_factor boolean, created_at text, updated_at text
UPDATE users
SET
    time_zone = coalesce(%(time_zone)s, users.time_zone),
    reminder_time = coalesce(%(reminder_time)s, users.reminder_time),
    wants_mail = coalesce(%(mail)s, users.wants_mail),
    updated_at = now()
WHERE users.id = %(owner_id)s
RETURNING
    users.id, users.email, utc(users.email_verified_at) AS email_verified_at,
    users.time_zone, users.reminder_time, users.wants_mail AS mail,
    EXISTS (
        SELECT FROM second_factors
        WHERE second_factors.owner_id = %(owner_id)s AND second_factors.confirmed_at IS NOT NULL
    ) AS has_second_factor,
    utc(users.created_at) AS created_at, utc(users.updated_at) AS updated_at
