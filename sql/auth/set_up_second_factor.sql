-- Sets up a second factor, which is not on before it is confirmed, in the place of one that was not
-- confirmed.
-- No row: the owner's second factor is on.
-- @writes
-- @param owner_id uuid
-- @param key_id text
-- @param secret bytea
-- @param recovery_hashes bytea[]
-- @returns created_at timestamptz
INSERT INTO second_factors (owner_id, key_id, secret, recovery_hashes)
VALUES (%(owner_id)s, %(key_id)s, %(secret)s, %(recovery_hashes)s)
ON CONFLICT (owner_id) DO UPDATE
    SET
        created_at = excluded.created_at,
        key_id = excluded.key_id,
        secret = excluded.secret,
        recovery_hashes = excluded.recovery_hashes
    WHERE second_factors.confirmed_at IS NULL
RETURNING second_factors.created_at
