-- Creates an account with its credential; its ledger is created by create_ledger, in the same
-- transaction.
-- No row: the e-mail is taken. Not an error, as that would write the address to the server's log.
-- @writes
-- @param owner_id uuid
-- @param email text
-- @param email_key text
-- @param time_zone text
-- @param password_hash text
-- @returns id uuid, email text, email_verified_at text null, time_zone text, reminder_time text
-- @returns mail boolean, has_second_factor boolean, created_at text, updated_at text
WITH registered AS (
    INSERT INTO users (id, email, email_key, time_zone)
    VALUES (%(owner_id)s, %(email)s, %(email_key)s, %(time_zone)s)
    ON CONFLICT ON CONSTRAINT users_email_key_unique DO NOTHING
    RETURNING
        id, email, email_verified_at, time_zone, reminder_time, wants_mail, created_at, updated_at
),

credential AS (
    INSERT INTO credentials (owner_id, password_hash)
    SELECT id, %(password_hash)s FROM registered
)

SELECT
    id, email, utc(email_verified_at) AS email_verified_at, time_zone, reminder_time,
    wants_mail AS mail, FALSE AS has_second_factor,
    utc(created_at) AS created_at, utc(updated_at) AS updated_at
FROM registered
