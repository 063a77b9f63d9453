-- Uses the owner's link of a change of address: the account gets the new one, which is verified.
-- Locks the account before its link, as all others do.
-- No row: the link is not good (see find_link.sql), or was used at the same moment. Breaks
-- users_email_key_unique where another account has the address by now.
-- @writes
-- @param owner_id uuid
-- @param hash bytea
-- @returns id uuid, email text, email_verified_at text null, time_zone text, reminder_time text
-- @returns mail boolean, has_second_factor boolean, created_at text, updated_at text
WITH account AS (
    SELECT id, email_key
    FROM users
    WHERE id = %(owner_id)s AND disabled_at IS NULL
    FOR UPDATE
),

spent AS (
    DELETE FROM account_tokens
    USING account, credentials
    WHERE
        account_tokens.owner_id = %(owner_id)s
        AND account_tokens.purpose = 'change_email'
        AND account_tokens.hash = %(hash)s
        AND account_tokens.expires_at > now()
        AND account_tokens.owner_id = account.id
        AND account_tokens.email_key = account.email_key
        AND credentials.owner_id = %(owner_id)s
        AND credentials.changed_at = account_tokens.password_changed_at
    RETURNING
        account_tokens.owner_id, account_tokens.new_email, account_tokens.new_email_key
)

UPDATE users
SET
    email = spent.new_email,
    email_key = spent.new_email_key,
    email_verified_at = now(),
    updated_at = now()
FROM spent
WHERE
    users.id = %(owner_id)s
    AND users.id = spent.owner_id
RETURNING
    users.id, users.email, utc(users.email_verified_at) AS email_verified_at,
    users.time_zone, users.reminder_time, users.wants_mail AS mail,
    EXISTS (
        SELECT FROM second_factors
        WHERE second_factors.owner_id = %(owner_id)s AND second_factors.confirmed_at IS NOT NULL
    ) AS has_second_factor,
    utc(users.created_at) AS created_at, utc(users.updated_at) AS updated_at
