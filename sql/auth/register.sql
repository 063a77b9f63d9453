-- Creates the owner's account, with its credential and its empty ledger.
-- No row: the e-mail is taken. As an error that would put the address into the server's log.
WITH registered AS (
    INSERT INTO users (id, email, email_key)
    VALUES (%(owner_id)s, %(email)s, %(email_key)s)
    ON CONFLICT ON CONSTRAINT users_email_key_unique DO NOTHING
    RETURNING id, email, created_at, updated_at
),

credential AS (
    INSERT INTO credentials (owner_id, password_hash)
    SELECT id, %(password_hash)s FROM registered
),

ledger AS (
    INSERT INTO ledgers (owner_id)
    SELECT id FROM registered
)

SELECT id, email, utc(created_at) AS created_at, utc(updated_at) AS updated_at FROM registered
