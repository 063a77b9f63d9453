-- Reads the owner's account.
-- No row: the account is gone.
-- @reads
-- @param owner_id uuid
-- @returns id uuid, email text, email_verified_at text null, time_zone text, reminder_time text
-- @returns mail boolean, has_second_factor boolean, created_at text, updated_at text
SELECT
    id, email, utc(email_verified_at) AS email_verified_at, time_zone, reminder_time,
    wants_mail AS mail,
    exists(
        SELECT FROM second_factors
        WHERE second_factors.owner_id = %(owner_id)s AND second_factors.confirmed_at IS NOT NULL
    ) AS has_second_factor,
    utc(created_at) AS created_at, utc(updated_at) AS updated_at
FROM users
WHERE id = %(owner_id)s
